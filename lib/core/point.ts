/**
 * What a caller may give where a point in time is asked for: a PIT UUID, a changeId, an exact bitmap name, or `*`; a program
 * also the instant itself, which fits one disk's history alone.
 */
import { type ChangeIdParts, namesInstant, parseChangeId } from './changeId.js';
import { invalidArgument } from './errors.js';
import { type Instant, parseUuid } from './pointInTime.js';
import { MAX_SEQUENCE, type SegmentName } from './segmentName.js';

export type Point =
  /** `*`: before anything was written; "what holds data". */
  | { kind: 'allocated' }
  /** A point in time, ours or a foreign bitmap whose name is that UUID. */
  | { kind: 'pit'; pit: string }
  /** A point in time by the epoch and sequence number of its segment, and the first 32 bits of its PIT. */
  | ({ kind: 'changeId' } & ChangeIdParts)
  /** A point in time of one history by all that it is. */
  | ({ kind: 'instant' } & Instant)
  /** A bitmap by its exact name; `checkpoint`: the one that is meant where none has that name. */
  | { kind: 'name'; name: string; checkpoint?: string };

/** A checkpoint of libvirt's is a bitmap of its name, whatever else that name may look like; anybody's bitmap may be called so itself. */
const CHECKPOINT = 'checkpoint:';

/** QEMU's limit for a bitmap name, in bytes of UTF-8. */
const MAX_NAME_BYTES = 1023;

/** Reads a point from what the caller gave for `argument`. */
export function parsePoint(argument: string, given: string | Instant): Point {
  return typeof given === 'object' && given !== null
    ? readInstant(argument, given)
    : parseText(argument, given);
}

/** Whether the point is the start of this segment, whose bitmap has this name. */
export function fitsSegment(point: Point, segment: SegmentName, name: string): boolean {
  const { epoch, first: sequence, pit } = segment;
  switch (point.kind) {
    case 'allocated':
      return false;
    case 'pit':
      return pit === point.pit;
    case 'changeId':
      return namesInstant(point, { epoch, sequence, pit });
    case 'instant':
      return epoch === point.epoch && sequence === point.sequence && pit === point.pit;
    case 'name':
      return name === point.name;
  }
}

/** How a point is called in messages. */
export function describePoint(point: Point): string {
  switch (point.kind) {
    case 'allocated':
      return '*';
    case 'pit':
      return `PIT ${point.pit}`;
    case 'changeId':
      return `sequence ${point.sequence} of epoch ${point.epoch}`;
    case 'instant':
      return `PIT ${point.pit} (sequence ${point.sequence} of epoch ${point.epoch})`;
    case 'name':
      return `bitmap ${JSON.stringify(point.name)}`;
  }
}

function readInstant(argument: string, given: Instant): Point {
  const { epoch, sequence, pit } = given;
  const [history, uuid] = [epoch, pit].map((text) => (typeof text === 'string' ? parseUuid(text) : null));
  const numbered = Number.isSafeInteger(sequence) && sequence >= 1 && sequence <= MAX_SEQUENCE;
  if (history && uuid && numbered) return { kind: 'instant', epoch: history, sequence, pit: uuid };
  const shown = [epoch, sequence, pit].every((one) => ['string', 'number'].includes(typeof one))
    ? `${epoch}/${sequence}/${pit}`
    : given;
  throw invalidArgument(
    argument,
    shown,
    `an epoch, a sequence number from 1 to ${MAX_SEQUENCE}, and a PIT UUID`,
  );
}

function parseText(argument: string, text: string): Point {
  const expected = `a PIT UUID, a changeId, a bitmap name of 1 to ${MAX_NAME_BYTES} bytes, or *`;
  // A text has no more UTF-16 units than bytes of UTF-8, so a very long one is never encoded to learn that.
  if (typeof text !== 'string' || text.length > MAX_NAME_BYTES || /[\0\p{Cs}]/u.test(text))
    throw invalidArgument(argument, text, expected);
  if (text === '*') return { kind: 'allocated' };
  const changeId = parseChangeId(text);
  if (changeId !== null) return { kind: 'changeId', ...changeId };
  const uuid = parseUuid(text);
  if (uuid !== null) return { kind: 'pit', pit: uuid };
  const bytes = new TextEncoder().encode(text).length;
  if (bytes === 0 || bytes > MAX_NAME_BYTES) {
    throw invalidArgument(argument, text, expected);
  }
  const checkpoint = text.startsWith(CHECKPOINT) ? text.slice(CHECKPOINT.length) : '';
  return { kind: 'name', name: text, ...(checkpoint !== '' && { checkpoint }) };
}
