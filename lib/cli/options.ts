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

/** A length of time with its unit (`90m`, `26h`, `2d`), in milliseconds. */
export function parseAge(option: string, text: string): number {
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  const unit = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[match?.[2] ?? ''] ?? Number.NaN;
  const value = Number(match?.[1]) * unit * 1000;
  if (!Number.isSafeInteger(value) || value < 1)
    throw invalidArgument(option, text, 'a time with its unit: 90m, 26h, 2d (s, m, h, d or w)');
  return value;
}
