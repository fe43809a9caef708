/**
 * What a backup has to copy, in one go: the map, what of it are zeros, the bytes, and at the end whether all of it was the
 * session's instant. A session that broke cannot end it well, and what is read is asked for only when the reader wants it.
 */
import type { AreaKinds } from './areaKinds.js';
import type { CallOptions } from './callOptions.js';
import { type DiffPlace, formatToken, offsetOf } from './diffToken.js';
import type { DiskData, OpenDataOptions } from './diskData.js';
import { CbtError, throwIfAborted } from './errors.js';
import type { DiskName, PointId, PointName } from './ids.js';
import { onAbort } from './onAbort.js';
import {
  abortSignal,
  type Checks,
  checkOptions,
  integer,
  milliseconds,
  point,
  required,
  text,
} from './options.js';
import type { Instant } from './pointInTime.js';
import type { TrackedDisk } from './trackedDisk.js';
import { withinEach } from './withinEach.js';

/** From where, and how, a disk's changes are read. */
export interface DiffOptions {
  /** The point that the earlier backup has (PIT UUID, changeId, bitmap name or instant); `*` for all that holds data. */
  from: PointName | Instant;
  /** Goes on behind the piece that carried this token: same session, disk and `from`, also after a restart of the program. */
  resume?: string | undefined;
  /** Largest piece of data, 512 bytes to 32 MiB, a multiple of 512; 256 KiB unless given. */
  chunkBytes?: number | undefined;
  /** Most bytes read ahead of the reader; 32 MiB unless given. */
  queueBytes?: number | undefined;
  /** Fires: the reading ends with `ERR_CBT_ABORTED`. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for each piece, from asking for it to having it; no limit on the whole unless given. */
  timeoutMs?: number | undefined;
}

/** Bytes that changed, or that read as zeros now. */
export type DiffPiece = {
  offset: number;
  length: number;
  /** To be kept when this piece, and all before it, are safe: a later reading goes on behind it (`resume`). */
  token: string;
} & (
  | {
      kind: 'data';
      /** The reader's for good. */
      data: Buffer;
    }
  | { kind: 'zero'; data: null }
);

/** What is read through; the session that the caller holds. */
export interface DiffSource {
  readonly pit: PointId;
  readonly disks: readonly { readonly disk: string; readonly changeId?: string | undefined }[];
  readonly broken: CbtError | null;
  readonly signal: AbortSignal;
  openDisk(disk: DiskName, options?: CallOptions): Promise<TrackedDisk>;
  openData(disk: DiskName, options?: OpenDataOptions): Promise<DiskData>;
  check(disk?: DiskName, options?: CallOptions): Promise<void>;
}

const OPTIONS: Checks<DiffOptions> = {
  from: required(point),
  resume: text,
  chunkBytes: integer(512, 32 << 20),
  queueBytes: integer(512, 1 << 30),
  signal: abortSignal,
  timeoutMs: milliseconds,
};

/**
 * The changes of a disk in pieces, in order of offset: to be iterated, or read as a web stream. It ends well only when what was read is
 * the session's instant for sure; until then pieces may be sent, and nothing may be trusted. Each iteration reads anew.
 * @example
 * ```ts
 * await using vm = await connectVm('/run/vms/web.qmp');
 * await using session = await vm.begin();
 * for await (const piece of session.diff('drive0', { from: '3f2504e0-4f89-11d3-9a0c-0305e82c3301' })) console.log(piece.offset, piece.length);
 * ```
 */
export class Diff implements AsyncIterable<DiffPiece> {
  /** Name of the disk, as it was asked for. */
  readonly disk: DiskName;
  readonly #session: DiffSource;
  readonly #options: DiffOptions;

  /** @internal `Session.diff` makes them. */
  constructor(session: DiffSource, disk: string, options: DiffOptions) {
    text(disk, 'disk');
    checkOptions('diff', options, OPTIONS);
    this.disk = disk;
    this.#session = session;
    this.#options = options;
  }

  /** Reads from the beginning, or behind `resume`; leaving the loop early gives back what is open. */
  [Symbol.asyncIterator](): AsyncGenerator<DiffPiece, void, undefined> {
    return withinEach('the diff', this.#options, (options) => this.#pieces(options));
  }

  async *#pieces(options: DiffOptions): AsyncGenerator<DiffPiece, void, undefined> {
    const { disk } = this;
    const session = this.#session;
    const { from, resume, signal: own, chunkBytes, queueBytes } = options;
    throwIfAborted(own);
    if (session.broken !== null) throw session.broken;
    const stop = new AbortController();
    const { signal } = stop;
    const callOffs = [own, session.signal].map((one) => onAbort(one, () => stop.abort(one?.reason)));
    try {
      await using tracked = await session.openDisk(disk, { signal });
      const all = await tracked.changes({ from, kinds: true, signal });
      const known = session.disks.find((one) => one.disk === tracked.disk);
      const { sizeBytes } = all;
      const place: Omit<DiffPlace, 'offset'> = {
        pit: session.pit,
        disk: tracked.disk,
        changeId: known?.changeId ?? null,
        from: all.from,
        sizeBytes,
      };
      const start = resume === undefined ? 0 : offsetOf(resume, place);
      const map = start === 0 ? all : await tracked.changes({ from, kinds: true, start, signal });
      await using data = await session.openData(disk, { signal });
      const reading = { signal, ...(chunkBytes && { chunkBytes }), ...(queueBytes && { queueBytes }) };
      for await (const areas of map.kinds()) {
        for await (const piece of piecesOf(data, areas, reading)) {
          const token = formatToken({ ...place, offset: piece.offset + piece.length });
          yield { ...piece, token };
        }
      }
      await session.check(disk, { signal });
    } catch (error) {
      // What a break ends is not cancelled by the caller.
      throw own?.aborted ? error : (session.broken ?? error);
    } finally {
      for (const callOff of callOffs) callOff();
    }
  }

  /**
   * The same as a web stream, which asks for a piece when its reader does, and for none ahead.
   * @returns A stream that holds back as its reader does; it errors where iterating throws.
   */
  stream(): ReadableStream<DiffPiece> {
    return ReadableStream.from(this);
  }
}

type Piece = { offset: number; length: number } & (
  | { kind: 'data'; data: Buffer }
  | { kind: 'zero'; data: null }
);

const BLANK = Buffer.alloc(65_536);

function isBlank(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += BLANK.length) {
    const part = data.subarray(at, at + BLANK.length);
    if (!part.equals(BLANK.subarray(0, part.length))) return false;
  }
  return true;
}

/** One stream for all the data of a batch, with its zeros told in between, in order. */
async function* piecesOf(
  data: DiskData,
  { ranges, zero }: AreaKinds,
  reading: { signal: AbortSignal; chunkBytes?: number; queueBytes?: number },
): AsyncGenerator<Piece, void, undefined> {
  const holding: number[] = [];
  for (const [index, isZero] of zero.entries())
    if (isZero === 0) holding.push(ranges[2 * index] ?? 0, ranges[2 * index + 1] ?? 0);
  const stream = holding.length === 0 ? null : data.stream(Float64Array.from(holding), reading);
  try {
    for (const [index, isZero] of zero.entries()) {
      const offset = ranges[2 * index] ?? 0;
      const length = ranges[2 * index + 1] ?? 0;
      if (isZero === 1) yield { kind: 'zero', offset, length, data: null };
      for (let at = offset; isZero === 0 && at < offset + length; ) {
        const next = await stream?.next();
        if (next === undefined || next.done === true || next.value.offset !== at)
          throw new CbtError('ERR_CBT_INTERNAL', `the data at ${at} did not come in its turn`);
        const bytes = next.value.data;
        at += bytes.length;
        const where = { offset: at - bytes.length, length: bytes.length };
        yield isBlank(bytes)
          ? { kind: 'zero', ...where, data: null }
          : { kind: 'data', ...where, data: bytes };
      }
    }
    // Its end is where it says whether it was the instant.
    const end = await stream?.next();
    if (end !== undefined && end.done !== true)
      throw new CbtError('ERR_CBT_INTERNAL', `more data came than was asked for, at ${end.value.offset}`);
  } finally {
    await stream?.return(undefined);
  }
}
