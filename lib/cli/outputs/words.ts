/** What the outputs of several commands share. */
import { z } from 'zod';
import { CODES, REASONS } from '../../core/errorCodes.js';

export const bytes = z.number().int().nonnegative();
export const text = z.string();
export const count = z.number().int().nonnegative();
export const run = z.number().int().positive().describe('Number of the run.');
export const pit = text.describe('UUID of the point in time.');
export const disk = text.describe('The disk’s name towards its VM, or the path of its image.');
export const reasonCode = z.enum(REASONS).meta({ id: 'reasonCode', description: 'Those of docs/errors.md.' });
export const reason = reasonCode.nullable().describe('A code for why, where there is one.');
export const message = text.nullable().describe('The same in words.');
export const failed = z
  .strictObject({ code: z.enum(CODES), reason, message: text })
  .meta({ id: 'failure', description: 'Why it failed: the codes are those of docs/errors.md.' });
export const verdict = z.enum(['incremental', 'full']);
export const base = z.strictObject({ run, pit }).describe('The run that it builds on.');
export const range = z.strictObject({ offset: bytes, length: bytes });

/** A disk, or why there is nothing of it. */
export function orFailed<T extends z.ZodRawShape>(shape: T) {
  return z.union([z.strictObject(shape), z.strictObject({ disk, error: failed })]);
}
