/** Runs something that must be refused and hands back the refusal, so that a test can read its code, reason and message. */
import { expect } from 'vitest';
import { CbtError } from '../../lib/core/errors.js';

export function refusal(work: () => unknown): CbtError {
  try {
    work();
  } catch (error) {
    if (error instanceof CbtError) return error;
    throw error;
  }
  return expect.unreachable('it was not refused');
}

export async function refusalOf(work: Promise<unknown> | (() => Promise<unknown>)): Promise<CbtError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (error instanceof CbtError) return error;
    throw error;
  }
  return expect.unreachable('it was not refused');
}
