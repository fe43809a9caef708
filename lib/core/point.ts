/** What a caller may write where a point in time is asked for: a PIT UUID, a changeId, an exact bitmap name, or `*`. */
import { parseChangeId } from './changeId.js';
import { invalidArgument } from './errors.js';
import { parseUuid } from './pointInTime.js';

export type Point =
  /** `*`: before anything was written; "what holds data". */
  | { kind: 'allocated' }
  /** A point in time, ours or a foreign bitmap whose name is that UUID. */
  | { kind: 'pit'; uuid: string }
  /** A point in time by the epoch and sequence number of its segment. */
  | { kind: 'changeId'; epoch: string; sequence: number }
  /** A bitmap by its exact name. */
  | { kind: 'name'; name: string };

/** QEMU's limit for a bitmap name, in bytes of UTF-8. */
const MAX_NAME_BYTES = 1023;

export function parsePoint(argument: string, text: string): Point {
  const expected = `a PIT UUID, a changeId, a bitmap name of 1 to ${MAX_NAME_BYTES} bytes, or *`;
  // A text has no more UTF-16 units than bytes of UTF-8, so a very long one is never encoded to learn that.
  if (typeof text !== 'string' || text.length > MAX_NAME_BYTES)
    throw invalidArgument(argument, text, expected);
  if (text === '*') return { kind: 'allocated' };
  const changeId = parseChangeId(text);
  if (changeId !== null) return { kind: 'changeId', ...changeId };
  const uuid = parseUuid(text);
  if (uuid !== null) return { kind: 'pit', uuid };
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0 || bytes > MAX_NAME_BYTES) {
    throw invalidArgument(argument, text, expected);
  }
  return { kind: 'name', name: text };
}
