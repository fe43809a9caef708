/**
 * A connection to one NBD export: its maps, its data, and changes to it. All work runs on a thread of the connection's
 * own; every call takes an AbortSignal that ends it at once, even when the server is silent. Any broken rule of the
 * protocol ends the connection, because nothing that follows could be trusted.
 *
 * Ask for one context per connection: a server answers a block status request for every context of the connection, and
 * `base:allocation` costs it far more than a dirty bitmap does.
 */
import type {
  DiskData,
  DiskDataCallOptions,
  DiskDataReadOptions,
  DiskDataStreamOptions,
  DiskDataWriteOptions,
  LentPiece,
  OpenDataOptions,
} from '../../core/diskData.js';
import { CbtError, invalidArgument, throwIfAborted } from '../../core/errors.js';
import { onAbort } from '../../core/onAbort.js';
import {
  abortSignal,
  anything,
  type Checks,
  callback,
  checkOptions,
  milliseconds,
} from '../../core/options.js';
import {
  checkByteCount,
  checkWindow,
  type RangePage,
  type RangePager,
  type Ranges,
  type Window,
} from '../../core/rangePage.js';
import { aboutHere, traced, tracedPieces, type WatchAbout } from '../../watch/tracing.js';
import { lendPieces } from './lentPieces.js';
import { loadNbdAddon, type NativeNbdConnection, type NbdExportInfo, type NbdWanted } from './nbdAddon.js';
import { failureOfOpen, toCbtError } from './nbdError.js';
import { nbdPager } from './nbdPager.js';
import { type NbdPiece, readPieces, writePieces } from './nbdStream.js';
import { type NbdTarget, toNativeTarget } from './nbdTarget.js';
import { requireTlsFiles } from './nbdTls.js';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_REQUEST_TIMEOUT_MS = 60_000;
/** QEMU gets memory for each request: from 1 MiB on that is fresh pages every time, and half as fast (measured on 7.2). */
export const DEFAULT_CHUNK_BYTES = 256 * 1024;
/** A write costs qcow2 the same work on its tables whatever its size: a sixth less time than with 256 KiB (measured on 7.2). */
const WRITE_CHUNK_BYTES = 1024 * 1024;
const DEFAULT_QUEUE_BYTES = 32 * 1024 * 1024;
const NO_RANGES: Ranges = new Float64Array(0);
/** The addon checks the sizes, for every call that takes them. */
const STREAM: Checks<DiskDataStreamOptions> = {
  chunkBytes: anything,
  queueBytes: anything,
  signal: abortSignal,
  timeoutMs: milliseconds,
};

export class NbdConnection implements DiskData {
  readonly info: NbdExportInfo;
  /** Every context that was asked for; all of them are there. */
  readonly contexts: readonly string[];
  readonly #native: NativeNbdConnection;
  readonly #about: WatchAbout;
  #nextJob = 1;
  #closing: Promise<void> | undefined;

  private constructor(
    native: NativeNbdConnection,
    info: NbdExportInfo,
    contexts: readonly string[],
    about: WatchAbout,
  ) {
    this.#native = native;
    this.info = info;
    this.contexts = contexts;
    this.#about = about;
  }

  static async open(target: NbdTarget, options: OpenDataOptions = {}): Promise<NbdConnection> {
    const { signal, contexts = [] } = options;
    throwIfAborted(signal);
    const about = aboutHere(target.kind === 'qemu-nbd' ? target.file : null);
    const { NbdConnection: Native } = loadNbdAddon();
    const { address, exportName, tls } = await toNativeTarget(target);
    try {
      const native = new Native({
        ...address,
        exportName,
        tls,
        contexts,
        connections: options.connections ?? 1,
        connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
        requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
      });
      // Only now: what is wrong with the words themselves has been told.
      if (target.kind !== 'qemu-nbd') await requireTlsFiles(target.tls);
      const begun = () => ({ operation: 'open', ...about, bytes: 0 });
      const info = await traced('qemu-cbt:stream', begun, () => openUnlessAborted(native, signal));
      return new NbdConnection(native, info, contexts, about);
    } catch (thrown) {
      throw toCbtError(thrown, signal);
    }
  }

  /** Where the context says what is wanted, for a window of the export. One native call, ranges built in it. */
  async blockStatus(context: string, wanted: NbdWanted, window: Window): Promise<RangePage> {
    checkWindow(window);
    const { startBytes, endBytes, maxRanges } = window;
    const asked = { operation: 'map', bytes: endBytes - startBytes };
    const { ranges, nextBytes } = await this.#run(asked, window.signal, (job) =>
      this.#native.map(job, context, wanted, startBytes, endBytes, maxRanges),
    );
    return { ranges, startBytes, nextBytes };
  }

  /** The same as a pager; the context must not change while it is used (a frozen bitmap, a read-only export). */
  pager(context: string, wanted: NbdWanted): RangePager {
    return nbdPager((window) => this.blockStatus(context, wanted, window));
  }

  async read(offset: number, length: number, options: DiskDataReadOptions = {}): Promise<Buffer> {
    checkByteCount('offset', offset);
    checkByteCount('length', length);
    return this.readRanges(length === 0 ? NO_RANGES : Float64Array.of(offset, length), options);
  }

  /**
   * The bytes of the ranges, one range behind the other, at most 4 GiB. With `into` they go there, in place when it lies
   * on shared memory: after a call that failed, such memory may still change until the connection is closed.
   */
  async readRanges(ranges: Ranges, options?: DiskDataReadOptions): Promise<Buffer>;
  async readRanges<Into extends Uint8Array>(
    ranges: Ranges,
    options: DiskDataReadOptions & { into: Into },
  ): Promise<Into>;
  async readRanges(
    ranges: Ranges,
    options: DiskDataReadOptions & { into?: Uint8Array } = {},
  ): Promise<Uint8Array> {
    const { into, chunkBytes = DEFAULT_CHUNK_BYTES, signal } = options;
    const shared = into !== undefined && into.buffer instanceof SharedArrayBuffer;
    if (into !== undefined && !shared && into.length !== totalBytes(ranges)) {
      throw invalidArgument(
        'into',
        `${into.length} bytes`,
        `${totalBytes(ranges)} bytes, as many as the ranges`,
      );
    }
    const asked = { operation: 'read', bytes: totalBytes(ranges) };
    const data = await this.#run(asked, signal, (job) =>
      this.#native.read(job, ranges, chunkBytes, shared ? into : undefined),
    );
    if (into === undefined) return data ?? Buffer.alloc(0);
    if (data !== undefined) into.set(data);
    return into;
  }

  /** Pieces of the ranges in order of offset, each at most `chunkBytes`; reads ahead `queueBytes` and no more. */
  stream(ranges: Ranges, options: DiskDataStreamOptions = {}): AsyncGenerator<NbdPiece, void, undefined> {
    const { chunkBytes = DEFAULT_CHUNK_BYTES, queueBytes = DEFAULT_QUEUE_BYTES, signal } = options;
    const pieces = readPieces(this.#native, this.#nextJob++, ranges, { chunkBytes, queueBytes, signal });
    const begun = () => ({ operation: 'stream', ...this.#about, bytes: 0 });
    return tracedPieces(begun, pieces, ({ data }) => data.length);
  }

  /** Works on the same pieces one after the other, each in memory that is used again when its work is done. */
  async forEachPiece(
    ranges: Ranges,
    work: (piece: LentPiece) => Promise<unknown>,
    options: DiskDataStreamOptions = {},
  ): Promise<number> {
    callback(work, 'work');
    checkOptions<DiskDataStreamOptions>('forEachPiece', options, STREAM);
    return lendPieces(this.stream(ranges, options), work, loadNbdAddon().giveBack);
  }

  async write(offset: number, data: Uint8Array, options: DiskDataWriteOptions = {}): Promise<void> {
    checkByteCount('offset', offset);
    if (data.length > 0) await this.writeRanges(Float64Array.of(offset, data.length), data, options);
  }

  /** Writes the ranges' bytes, which lie one behind the other in `data`; in no promised order. */
  async writeRanges(ranges: Ranges, data: Uint8Array, options: DiskDataWriteOptions = {}): Promise<void> {
    await this.#change('write', ranges, data, options);
  }

  /** Writes pieces from a source, several at a time; gives the number of bytes. Pieces must not overlap. */
  async writeStream(
    source:
      | AsyncIterable<{ offset: number; data: Uint8Array }>
      | Iterable<{ offset: number; data: Uint8Array }>,
    options: DiskDataWriteOptions & { queueBytes?: number | undefined } = {},
  ): Promise<number> {
    const { queueBytes = DEFAULT_QUEUE_BYTES, signal } = options;
    return writePieces(source, (offset, data) => this.write(offset, data, options), { queueBytes, signal });
  }

  /** Makes the ranges read as zeros. The server may make holes, unless told to keep the space. */
  async zero(
    ranges: Ranges,
    options: DiskDataWriteOptions & { keepAllocated?: boolean | undefined } = {},
  ): Promise<void> {
    await this.#change('zero', ranges, undefined, options);
  }

  /** Tells the server that the ranges are not needed; what they read as afterwards is open. */
  async trim(ranges: Ranges, options: DiskDataWriteOptions = {}): Promise<void> {
    await this.#change('trim', ranges, undefined, options);
  }

  /** Everything written before is on stable storage afterwards. */
  async flush(options: DiskDataCallOptions = {}): Promise<void> {
    await this.#change('flush', NO_RANGES, undefined, options);
  }

  /**
   * Ends the connection; running calls fail with `ERR_CBT_CLOSED`. When it is done the socket is closed, and a qemu-nbd
   * of ours has written what it had and ended.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#native.close().catch((thrown: unknown) => {
      throw toCbtError(thrown);
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #change(
    command: 'write' | 'zero' | 'trim' | 'flush',
    ranges: Ranges,
    data: Uint8Array | undefined,
    options: DiskDataWriteOptions & { keepAllocated?: boolean | undefined },
  ): Promise<void> {
    const { signal, forceUnitAccess = false, keepAllocated = false } = options;
    await this.#run({ operation: command, bytes: totalBytes(ranges) }, signal, (job) =>
      this.#native.change(job, command, ranges, data, WRITE_CHUNK_BYTES, forceUnitAccess, keepAllocated),
    );
  }

  #run<T>(
    asked: { operation: string; bytes: number },
    signal: AbortSignal | undefined,
    start: (job: number) => Promise<T>,
  ): Promise<T> {
    const begun = () => ({ ...this.#about, ...asked });
    return traced('qemu-cbt:stream', begun, () => this.#started(signal, start));
  }

  async #started<T>(signal: AbortSignal | undefined, start: (job: number) => Promise<T>): Promise<T> {
    throwIfAborted(signal);
    const job = this.#nextJob++;
    const callOff = onAbort(signal, () => this.#native.cancel(job));
    try {
      return await start(job);
    } catch (thrown) {
      throw failureOfOpen(thrown, signal);
    } finally {
      callOff();
    }
  }
}

/** Looking a host up cannot be stopped, so an aborted opening ends for the caller first and by itself later. */
async function openUnlessAborted(
  native: NativeNbdConnection,
  signal: AbortSignal | undefined,
): Promise<NbdExportInfo> {
  const opening = native.open();
  if (signal === undefined) return opening;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      native.close().catch(() => undefined);
      reject(new CbtError('ERR_CBT_ABORTED', 'cancelled by the caller', { cause: signal.reason }));
    };
    opening.then(resolve, reject).finally(onAbort(signal, stop));
  });
}

function totalBytes(ranges: Ranges): number {
  let total = 0;
  for (let i = 1; i < ranges.length; i += 2) total += ranges[i] ?? 0;
  return total;
}
