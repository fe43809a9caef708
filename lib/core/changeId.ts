/**
 * An instant of a disk in VMware's text form: the 16 bytes of the epoch as hex pairs with a dash in the middle, a slash, and
 * a number, for example `52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/19165876459`. Real clients match that shape by regular
 * expression, split it at the slash, and compare the first half to learn that history was lost.
 *
 *   number = sequence · 2^32 + the first 32 bits of the PIT's UUID
 *
 * Two copies of one image that went on separately have the same epoch and give the same sequence number again; the bits of
 * the PIT tell their instants apart. The number ascends within an epoch and is exact as a JS number.
 */
import { invalidArgument } from './errors.js';
import type { ChangeId } from './ids.js';
import type { Instant } from './pointInTime.js';

/** What the text says; of the PIT it has the first 32 bits only. */
export interface ChangeIdParts {
  /** RFC 4122 text, lower case. */
  epoch: string;
  /** Sequence number of the segment that starts at the point in time; 0 in a text that was never one of ours. */
  sequence: number;
  /** First 32 bits of the PIT's UUID. */
  check: number;
}

const CHECK_VALUES = 2 ** 32;
const CHANGE_ID = /^((?:[0-9a-f]{2} ?){7}[0-9a-f]{2})-((?:[0-9a-f]{2} ?){7}[0-9a-f]{2})\/([1-9]\d{0,15})$/i;

/** The changeId that names this instant. */
export function formatChangeId({ epoch, sequence, pit }: Instant): ChangeId {
  return textOf({ epoch, sequence, check: checkOf(pit) });
}

function textOf({ epoch, sequence, check }: ChangeIdParts): ChangeId {
  const pairs = epoch.replaceAll('-', '').match(/../g) ?? [];
  return `${pairs.slice(0, 8).join(' ')}-${pairs.slice(8).join(' ')}/${sequence * CHECK_VALUES + check}`;
}

/**
 * A changeId from a text that was kept elsewhere. Calls take the text as well; with this, one that is none is found where it is read.
 * @param text The changeId as vSphere's clients write it; case and the spaces between bytes are free.
 * @returns The same, as the library writes it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a text that is no changeId, a point in time's UUID among them.
 * @example
 * ```ts
 * const since = changeId('52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/19165876459');
 * ```
 */
export function changeId(text: string): ChangeId {
  const parts = typeof text === 'string' ? parseChangeId(text) : null;
  if (parts === null)
    throw invalidArgument(
      'text',
      text,
      'a changeId: 16 bytes in hex with a dash in the middle, a slash, a number',
    );
  return textOf(parts);
}

/**
 * Null when the text is not a changeId. Case and the spaces between bytes are free. A number below 2^32 (VMware's own are)
 * is read, and has the sequence number 0, which no segment has.
 */
export function parseChangeId(text: string): ChangeIdParts | null {
  const match = CHANGE_ID.exec(text);
  if (match === null) return null;
  const hex = `${match[1]}${match[2]}`.replaceAll(' ', '').toLowerCase();
  const number = Number(match[3]);
  if (!Number.isSafeInteger(number)) return null;
  const epoch = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join(
    '-',
  );
  return { epoch, sequence: Math.floor(number / CHECK_VALUES), check: number % CHECK_VALUES };
}

/** Whether the changeId was given for this instant, as far as its 32 bits of the PIT tell. */
export function namesInstant({ epoch, sequence, check }: ChangeIdParts, instant: Instant): boolean {
  return epoch === instant.epoch && sequence === instant.sequence && check === checkOf(instant.pit);
}

/** The instant that a changeId names, where its PIT is known from elsewhere; null where the two do not fit. */
export function instantOf(changeId: string, pit: string): Instant | null {
  const parsed = parseChangeId(changeId);
  if (parsed === null) return null;
  const instant = { epoch: parsed.epoch, sequence: parsed.sequence, pit };
  return parsed.sequence > 0 && namesInstant(parsed, instant) ? instant : null;
}

function checkOf(pit: string): number {
  return Number.parseInt(pit.slice(0, 8), 16);
}
