/**
 * The name of a segment is its record: the whole catalogue of points in time is in the image itself, moves with it, and
 * cannot drift from it.
 *
 *   cbt1.<epoch>.<first>[-<last>].<sizeBytes>.<pit>
 *
 * All lower case. `first` and `last` are sequence numbers from 1 (`last` only where segments were merged), `sizeBytes` is
 * the disk's size at the point in time, `epoch` and `pit` are RFC 4122 text.
 */
import { CbtError } from './errors.js';

export interface SegmentName {
  epoch: string;
  /** Sequence number of the point in time this segment starts at, from 1. */
  first: number;
  /** Sequence number of the last segment merged into it; `first` where none was. */
  last: number;
  /** Size of the disk at the point in time, bytes. */
  sizeBytes: number;
  /** UUID of the point in time, RFC 4122 text, lower case. */
  pit: string;
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const NAME = new RegExp(
  `^cbt1\\.(${UUID})\\.([1-9]\\d{0,15})(?:-([1-9]\\d{0,15}))?\\.(0|[1-9]\\d{0,15})\\.(${UUID})$`,
);

/** The largest sequence number: a changeId's number, 32 bits of the PIT below it, must be exact in a JS number. */
export const MAX_SEQUENCE = 2 ** 21 - 1;

/** Bitmaps whose name starts so claim to be ours, in this or a later version of the naming. */
const CLAIM = /^cbt\d+\./;

/** The parts of a segment's name; null when the name is not one of ours. */
export function parseSegmentName(name: string): SegmentName | null {
  const match = NAME.exec(name);
  if (match === null) return null;
  const [, epoch = '', firstText = '', lastText, sizeText = '', pit = ''] = match;
  const first = Number(firstText);
  const last = lastText === undefined ? first : Number(lastText);
  const sizeBytes = Number(sizeText);
  const inRange = first <= MAX_SEQUENCE && last <= MAX_SEQUENCE && Number.isSafeInteger(sizeBytes);
  if (!inRange || (lastText !== undefined && last <= first)) return null;
  return { epoch, first, last, sizeBytes, pit };
}

/** True for a name that claims our scheme but does not parse: damaged, or written by a later version. */
export function isUnreadableSegmentName(name: string): boolean {
  return CLAIM.test(name) && parseSegmentName(name) === null;
}

/** The bitmap name of a segment. */
export function formatSegmentName(segment: SegmentName): string {
  const { epoch, first, last, sizeBytes, pit } = segment;
  const tiles = last === first ? `${first}` : `${first}-${last}`;
  const name = `cbt1.${epoch}.${tiles}.${sizeBytes}.${pit}`;
  if (parseSegmentName(name) === null) {
    throw new CbtError('ERR_CBT_INTERNAL', `segment name ${JSON.stringify(name)} would not read back`);
  }
  return name;
}

/** How to name a segment in a message: short, and enough to find it. */
export function describeSegment(segment: SegmentName): string {
  const tiles = segment.first === segment.last ? `${segment.first}` : `${segment.first}-${segment.last}`;
  return `segment ${tiles} (PIT ${segment.pit})`;
}
