/** Argument parsers shared by the commands; each names the option and what it takes. */
import { invalidArgument } from '../core/errors.js';

/** A byte offset or size: decimal, or with a binary suffix (`64K`, `1G`, `2T`). */
export function parseBytes(option: string, text: string): number {
  const match = /^(\d{1,16})([KMGTP]?)$/i.exec(text);
  const power = 'KMGTP'.indexOf((match?.[2] ?? '').toUpperCase() || '?') + 1;
  const value = match === null ? Number.NaN : Number(match[1]) * 1024 ** power;
  if (!Number.isSafeInteger(value))
    throw invalidArgument(option, text, 'a number of bytes, with K, M, G, T or P if you like');
  return value;
}

export function parseCount(option: string, text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < 1)
    throw invalidArgument(option, text, 'a whole number of at least 1');
  return value;
}
