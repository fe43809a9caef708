/** Where a reading of changes goes on: a text that says of which instant, from which point and how far. From outside, and so checked. */
import { invalidArgument } from './errors.js';

/** What a token is of. */
export interface DiffPlace {
  /** The session's point in time. */
  pit: string;
  disk: string;
  /** The disk's own instant; null where it has none. */
  changeId: string | null;
  /** The earlier point, as the map calls it. */
  from: string;
  sizeBytes: number;
  /** Everything before is done. */
  offset: number;
}

const VERSION = 1;
const MAX_CHARACTERS = 16_384;

export function formatToken({ pit, disk, changeId, from, sizeBytes, offset }: DiffPlace): string {
  const fields = [VERSION, pit, disk, changeId, from, sizeBytes, offset];
  return Buffer.from(JSON.stringify(fields)).toString('base64url');
}

/** How far the reading was; throws where the token is none, or of something else, and says of what. */
export function offsetOf(token: string, place: Omit<DiffPlace, 'offset'>): number {
  const [version, pit, disk, changeId, from, sizeBytes, offset, ...more] = parse(token);
  const wrong = (what: string, is: unknown, expected: unknown): never => {
    throw invalidArgument('resume', `a token of ${what} ${String(is)}`, `one of ${String(expected)}`);
  };
  if (version !== VERSION) wrong('form', version, VERSION);
  if (pit !== place.pit) wrong('session', pit, place.pit);
  if (disk !== place.disk) wrong('disk', disk, place.disk);
  if (changeId !== place.changeId) wrong('instant', changeId, place.changeId);
  if (from !== place.from) wrong('the changes from', from, place.from);
  if (sizeBytes !== place.sizeBytes) wrong('a disk of bytes', sizeBytes, place.sizeBytes);
  if (
    more.length > 0 ||
    !Number.isSafeInteger(offset) ||
    Number(offset) < 0 ||
    Number(offset) > place.sizeBytes
  )
    throw invalidArgument('resume', 'a damaged token', 'a token as a piece carried it');
  return Number(offset);
}

function parse(token: string): unknown[] {
  try {
    const fields: unknown =
      token.length > MAX_CHARACTERS ? null : JSON.parse(Buffer.from(token, 'base64url').toString());
    if (Array.isArray(fields)) return fields;
  } catch {
    // Told below.
  }
  throw invalidArgument('resume', token, 'a token as a piece carried it');
}
