/**
 * Is a backup folder sound? Two depths: manifests, chain, headers and sums files; and beyond that every stored byte against
 * its sum, with nothing missing and nothing more in any layer. Goes on after a problem, so that all are told.
 */
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { RangePager } from '../core/rangePage.js';
import { openData } from '../data.js';
import { checkImageFile } from '../imageCheck.js';
import type { BackupFolder, Layer } from './folder.js';
import { requireLayerFile } from './layerHeader.js';
import type { DiskRun } from './manifest.js';
import { openForReading } from './reading.js';
import { requireStored } from './stored.js';
import { checkSumsFile, readSums, type SumsEntry } from './sums.js';
import { verifiedEntries } from './verifiedEntries.js';

/** `manifest`: manifests, chains, headers and sums files. `data`: every stored byte as well. */
export type VerifyDepth = 'manifest' | 'data';

/** Which folder, and how deep. */
export interface VerifyOptions {
  /** Folder of the backup. */
  from: string;
  /** 'data' unless given. */
  depth?: VerifyDepth | undefined;
  signal?: AbortSignal | undefined;
  /** Told as bytes are read, of all disks. */
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Something that is not as its run wrote it; `disk` null where it is the whole run. */
export interface VerifyProblem {
  run: number;
  disk: string | null;
  file: string;
  error: CbtError;
}

/** What was looked at, and every problem found. */
export interface VerifyResult {
  runs: number;
  layers: number;
  /** Bytes of data that were read and compared with their sums. */
  checkedBytes: number;
  problems: VerifyProblem[];
}

const TOP = 'qemu:allocation-depth';
const ZEROS = Buffer.alloc(1 << 18);

/** Checks a folder without changing it. Problems are in the result; it throws only where the folder itself cannot be read or holds no backup. */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const { depth = 'data', signal } = options;
  throwIfAborted(signal);
  const folder = await openForReading(options.from);
  const layers = folder.runs.flatMap((run) => run.disks.map((disk): Layer => ({ run, disk })));
  if (layers.length === 0 && folder.damaged.length === 0)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${folder.path} holds no backup`);
  const problems: VerifyProblem[] = folder.damaged.map(({ run, file, error }) => ({
    run,
    disk: null,
    file,
    error,
  }));
  const totalBytes = layers.reduce((sum, { disk }) => sum + disk.storedBytes, 0);
  let checkedBytes = 0;
  const onBytes = (bytes: number): void => {
    checkedBytes += bytes;
    options.onProgress?.(checkedBytes, totalBytes);
  };
  for (const layer of layers) {
    try {
      await verifyLink(folder, layer);
      if (depth === 'data') await verifyData(folder, layer.disk, { signal, onBytes });
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
      const { run, disk } = layer;
      problems.push({ run: run.run, disk: disk.disk, file: disk.file, error });
    }
  }
  return { runs: folder.runs.length, layers: layers.length, checkedBytes, problems };
}

/** The layer itself and its link to the one below. */
async function verifyLink(folder: BackupFolder, { run, disk }: Layer): Promise<void> {
  const below = folder.chain(run, disk).at(-2);
  await requireStored(folder, disk);
  const expected = { sizeBytes: disk.sizeBytes, base: below?.disk.file ?? null };
  await requireLayerFile(folder.file(disk.file), expected);
  await checkSumsFile(folder.file(disk.sums.file), disk.sums);
}

interface VerifyDataOptions {
  signal: AbortSignal | undefined;
  onBytes: (bytes: number) => void;
}

async function verifyData(
  folder: BackupFolder,
  disk: DiskRun,
  { signal, onBytes }: VerifyDataOptions,
): Promise<void> {
  const path = folder.file(disk.file);
  await checkImageFile(path, signal);
  await using data = await openData(
    { kind: 'qemu-nbd', file: path, format: 'qcow2', withoutBacking: true, allocationDepth: true },
    { contexts: [TOP], ...(signal === undefined ? {} : { signal }) },
  );
  const allocation = new AllocationCheck(data.pager(TOP, 'top'), path, disk.verdict === 'full');
  for await (const entries of readSums(folder.file(disk.sums.file), disk.sizeBytes)) {
    await allocation.check(entries);
    const stored = entries.filter(({ sha256 }) => sha256 !== null);
    for await (const piece of verifiedEntries(data, path, stored, signal)) onBytes(piece.data.length);
    const zeros = entries.filter(({ sha256 }) => sha256 === null);
    for (const { offset, length } of zeros) {
      const stream = data.stream(Float64Array.of(offset, length), { lend: true, ...(signal && { signal }) });
      for await (const piece of stream) {
        if (piece.data.compare(ZEROS, 0, piece.data.length) !== 0)
          throw damaged(path, piece.offset, piece.data.length, 'are not zeros, as they were written');
      }
    }
  }
  await allocation.finish(disk.sizeBytes);
}

/**
 * That the layer holds what its sums say and nothing else: whatever more it held would hide the layer below, and a zero
 * that is not marked lets it shine through.
 */
class AllocationCheck {
  readonly #pager: RangePager;
  readonly #path: string;
  readonly #full: boolean;
  #at = 0;

  constructor(pager: RangePager, path: string, full: boolean) {
    this.#pager = pager;
    this.#path = path;
    this.#full = full;
  }

  async check(entries: readonly SumsEntry[]): Promise<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    const end = last.offset + last.length;
    const held = await this.#allocated(end);
    const listed = coalesced(entries);
    const more = firstOutside(held, listed);
    if (more !== null)
      throw damaged(this.#path, more.offset, more.length, 'are there, and were never written');
    const wanted = this.#full ? [] : listed;
    const less = firstOutside(wanted, held);
    if (less !== null) throw damaged(this.#path, less.offset, less.length, 'are missing in the layer');
    this.#at = end;
  }

  async finish(sizeBytes: number): Promise<void> {
    const [more] = await this.#allocated(sizeBytes);
    if (more !== undefined)
      throw damaged(this.#path, more.offset, more.length, 'are there, and were never written');
  }

  async #allocated(end: number): Promise<{ offset: number; length: number }[]> {
    const found: { offset: number; length: number }[] = [];
    for (let at = this.#at; at < end; ) {
      const page = await this.#pager.page({ startBytes: at, endBytes: end, maxRanges: 65_536 });
      for (let i = 0; i < page.ranges.length; i += 2)
        push(found, page.ranges[i] ?? 0, page.ranges[i + 1] ?? 0);
      at = page.nextBytes;
    }
    return found;
  }
}

interface Span {
  offset: number;
  length: number;
}

function push(spans: Span[], offset: number, length: number): void {
  const last = spans.at(-1);
  if (last !== undefined && last.offset + last.length === offset) last.length += length;
  else spans.push({ offset, length });
}

function coalesced(entries: readonly Span[]): Span[] {
  const spans: Span[] = [];
  for (const { offset, length } of entries) push(spans, offset, length);
  return spans;
}

/** The first of the inner spans that is not within one of the outer; both are in order and coalesced. */
export function firstOutside(inner: readonly Span[], outer: readonly Span[]): Span | null {
  let at = 0;
  for (const span of inner) {
    while (at < outer.length && (outer[at]?.offset ?? 0) + (outer[at]?.length ?? 0) <= span.offset) at += 1;
    const over = outer[at];
    const within =
      over !== undefined &&
      over.offset <= span.offset &&
      over.offset + over.length >= span.offset + span.length;
    if (!within) return span;
  }
  return null;
}

function damaged(path: string, offset: number, length: number, what: string): CbtError {
  return new CbtError('ERR_CBT_CORRUPT_IMAGE', `${path} is damaged: bytes ${offset}+${length} ${what}`, {
    details: { path, offset, length },
  });
}
