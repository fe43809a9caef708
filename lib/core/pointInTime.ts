/**
 * The UUID that names a point in time, in every spelling the field uses: with or without braces and dashes, any case
 * (the Virtuozzo SDK writes braces, .hds images and QEMU bitmaps loaded from them are bare, VMware has its own form).
 */
import { invalidArgument } from './errors.js';
import type { Epoch, PointId } from './ids.js';

/**
 * An instant of one disk: all three together. A PIT alone is shared by every disk on which it was taken, and by copies of
 * them; copies that went on separately share epochs and give the same sequence numbers.
 */
export interface Instant {
  /** The disk's history, RFC 4122 text, lower case. */
  epoch: Epoch;
  /** Number of the segment that starts at the point in time, from 1. */
  sequence: number;
  /** UUID of the point in time, RFC 4122 text, lower case. */
  pit: PointId;
}

/** 32 hex digits, dashes as in RFC 4122 or none at all, one pair of braces or none. */
const UUID = /^(\{)?([0-9a-f]{8})(-?)([0-9a-f]{4})\3([0-9a-f]{4})\3([0-9a-f]{4})\3([0-9a-f]{12})(\})?$/i;

/** RFC 4122 text, lower case, no braces; null when the text is not a UUID, or is the null UUID. */
export function parseUuid(text: string): string | null {
  const match = UUID.exec(text);
  if (match === null || (match[1] === undefined) !== (match[8] === undefined)) return null;
  const uuid = [match[2], match[4], match[5], match[6], match[7]].join('-').toLowerCase();
  return uuid === '00000000-0000-0000-0000-000000000000' ? null : uuid;
}

/** As {@link parseUuid}, for a caller's argument that must be one. */
export function requireUuid(argument: string, text: string): string {
  const uuid = typeof text === 'string' ? parseUuid(text) : null;
  if (uuid === null) throw invalidArgument(argument, text, 'a UUID other than the null one');
  return uuid;
}

/**
 * A point in time from a text that was kept elsewhere. Calls take the text as well; with this, one that is none is found where it is read.
 * @param text Its UUID: with or without braces and dashes, in any case.
 * @returns The same, as the library writes it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a text that is no UUID, a changeId among them, and for the null UUID.
 * @example
 * ```ts
 * const pit = pointId('{E4F2EED0-37FE-4539-B50B-85D2E7FD235F}');
 * ```
 */
export function pointId(text: string): PointId {
  return requireUuid('text', text);
}
