/**
 * A qcow2 file as a layer: reads its bitmap directory, tells the state of its bitmaps, and hands their tables and the L1
 * table to the kernel, each checked whole before the first range is told.
 */
import type { BitmapKernel, BitmapSegment, ClusterClass, ClusterTables } from '../../../core/bitmapKernel.js';
import type { BitmapInfo, LayerState } from '../../../core/diskSource.js';
import { CbtError, throwIfAborted, trackingLost } from '../../../core/errors.js';
import type { RangePager } from '../../../core/rangePage.js';
import { corrupt, describeFault, type Fault, faultError, unsupported } from '../faults.js';
import type { FileSnapshot } from '../imageFile.js';
import type { ImageLayer, LayerAllocation } from '../layer.js';
import type { WriterGuard } from '../writerGuard.js';
import { type BitmapEntry, findTableFault, parseBitmapDirectory } from './bitmapDirectory.js';
import { checkExtensionLength, findVoidedBitmaps, parseBitmapsExtension } from './bitmapsExtension.js';
import { parseBitmapTable } from './bitmapTable.js';
import type { Extensions } from './extensions.js';
import { isDirty } from './features.js';
import type { Qcow2Head } from './head.js';
import type { Qcow2Header } from './header.js';
import { parseL1Table } from './l1Table.js';

/** Table entries of all bitmaps of one query: 128 MiB of memory, and far above what bitmaps of one disk can need. */
const MAX_TABLE_ENTRIES = 2 ** 24;

interface Qcow2Image {
  snapshot: FileSnapshot;
  header: Qcow2Header;
  /** More than one where names that are no UTF-8 look the same. */
  byName: ReadonlyMap<string, readonly BitmapEntry[]>;
  state: LayerState;
}

/** Reads everything but bitmap and L1 tables. */
export async function readQcow2Layer(
  snapshot: FileSnapshot,
  { header, extensions }: Qcow2Head,
  guard: WriterGuard,
  kernel: BitmapKernel,
  signal?: AbortSignal,
): Promise<ImageLayer> {
  const where = snapshot.file.path;
  const { entries, problem, voided } = await readDirectory(snapshot, guard, header, extensions, signal);
  const notes = notesOf(header);
  const state: LayerState = {
    label: where,
    sizeBytes: header.sizeBytes,
    format: 'qcow2',
    bitmaps: entries.map((entry) => describeBitmap(where, entry)),
    ...(problem === undefined ? {} : { problem }),
    ...(voided === undefined ? {} : { voided }),
    ...(notes.length === 0 ? {} : { notes }),
  };
  const image = { snapshot, header, byName: groupByName(entries), state };
  return {
    state,
    bitmaps: (names, granularityBytes, abort) => scanBitmaps(image, kernel, names, granularityBytes, abort),
    allocation: (abort) => scanAllocation(image, kernel, abort),
  };
}

interface Directory extends Pick<LayerState, 'problem' | 'voided'> {
  entries: BitmapEntry[];
}

async function readDirectory(
  snapshot: FileSnapshot,
  guard: WriterGuard,
  header: Qcow2Header,
  extensions: Extensions,
  signal?: AbortSignal,
): Promise<Directory> {
  const where = snapshot.file.path;
  if (header.version === 2) {
    const message = `${where}: version is 2, must be 3 to hold bitmaps; qemu-img amend -o compat=1.1 upgrades it`;
    return { entries: [], problem: { reason: 'FORMAT', message } };
  }
  if (extensions.bitmaps === undefined) return { entries: [] };
  checkExtensionLength(where, extensions.bitmaps);
  const { bitmaps } = extensions;
  const read = async ({ remember }: { remember: boolean }): Promise<BitmapEntry[]> => {
    const place = parseBitmapsExtension(where, bitmaps, header, snapshot.sizeBytes);
    const bytes = await snapshot.read(place.offsetBytes, place.lengthBytes, 'bitmap directory', signal);
    if (remember) guard.mark(snapshot, place.offsetBytes, bytes);
    return parseBitmapDirectory(where, bytes, place);
  };
  const why = findVoidedBitmaps(header);
  if (why !== null) {
    const problem = { reason: 'MISSING', message: `${where}: ${why}` } as const;
    return { entries: [], problem, voided: await namesIfAny(() => read({ remember: false })) };
  }
  const entries = (await read({ remember: true })).map((entry) => {
    const fault = entry.fault ?? findTableFault(entry, header, snapshot.sizeBytes);
    return fault === undefined ? entry : { ...entry, fault };
  });
  return { entries };
}

/** What the directory of void bitmaps says, as far as it still says anything: its place may be anybody's by now. */
async function namesIfAny(read: () => Promise<BitmapEntry[]>): Promise<string[]> {
  try {
    return (await read()).map(({ name }) => name);
  } catch (error) {
    if (error instanceof CbtError && error.code === 'ERR_CBT_CORRUPT_IMAGE') return [];
    throw error;
  }
}

function describeBitmap(where: string, entry: BitmapEntry): BitmapInfo {
  const { name, granularityBytes, inUse, auto, fault } = entry;
  return {
    name,
    granularityBytes,
    recording: auto,
    inconsistent: inUse,
    persistent: true,
    busy: false,
    ...(fault === undefined
      ? {}
      : {
          problem: { reason: fault.reason ?? 'FORMAT', message: describeFault(placeOf(where, name), fault) },
        }),
  };
}

function placeOf(where: string, name: string): string {
  return `${where}, bitmap ${JSON.stringify(name)}`;
}

function notesOf(header: Qcow2Header): string[] {
  const notes: string[] = [];
  if (isDirty(header.incompatible)) {
    notes.push(
      'the dirty bit is set: reference counts are stale, which neither bitmaps nor allocation depend on',
    );
  }
  if (header.encryption !== 'none') {
    notes.push(
      `guest data is encrypted (${header.encryption}); bitmaps and allocation tables are stored in clear`,
    );
  }
  if (header.externalData) {
    notes.push('guest data is in an external file: writes to that file past QEMU are in no bitmap');
  }
  return notes;
}

async function scanBitmaps(
  image: Qcow2Image,
  kernel: BitmapKernel,
  names: readonly string[],
  granularityBytes: number,
  signal?: AbortSignal,
): Promise<RangePager> {
  const { problem } = image.state;
  if (problem !== undefined) throw trackingLost(problem.reason, problem.message);
  const chosen = [...new Set(names)].map((name) => requireReadable(image, name));
  const total = chosen.reduce((sum, entry) => sum + entry.table.entries, 0);
  if (total > MAX_TABLE_ENTRIES) {
    const fault = unsupported('bitmap table entries of one query', total, `at most ${MAX_TABLE_ENTRIES}`);
    throw faultError(image.state.label, fault);
  }
  const segments: BitmapSegment[] = [];
  for (const entry of chosen) segments.push(await readSegment(image, entry, signal));
  const { label } = image.state;
  return {
    page: (window) => namingFile(label, () => kernel.scanBitmaps(segments, granularityBytes, window)),
    count: (window) => namingFile(label, () => kernel.countBitmaps(segments, granularityBytes, window)),
  };
}

function groupByName(entries: readonly BitmapEntry[]): Map<string, BitmapEntry[]> {
  const groups = new Map<string, BitmapEntry[]>();
  for (const entry of entries) {
    const twins = groups.get(entry.name);
    if (twins === undefined) groups.set(entry.name, [entry]);
    else twins.push(entry);
  }
  return groups;
}

function requireReadable(image: Qcow2Image, name: string): BitmapEntry {
  const where = image.state.label;
  const [entry, twin] = image.byName.get(name) ?? [];
  if (entry === undefined) {
    throw new CbtError('ERR_CBT_UNKNOWN_PIT', `${where} holds no bitmap ${JSON.stringify(name)}`, {
      reason: 'UNKNOWN_PIT',
      details: { bitmap: name },
    });
  }
  // Names that are no UTF-8 can look like one that is.
  const fault = entry.fault ?? (twin === undefined ? undefined : corrupt('name', name, "one bitmap's alone"));
  if (fault !== undefined) throw faultError(placeOf(where, name), fault, fault.reason ?? 'FORMAT');
  if (entry.inUse) {
    const what = `${placeOf(where, name)} is in_use although nobody holds the image: its QEMU did not close it cleanly`;
    throw trackingLost('CRASHED', what, { details: { bitmap: name } });
  }
  return entry;
}

async function readSegment(
  image: Qcow2Image,
  entry: BitmapEntry,
  signal?: AbortSignal,
): Promise<BitmapSegment> {
  throwIfAborted(signal);
  const { snapshot, header } = image;
  const where = placeOf(image.state.label, entry.name);
  const { offsetBytes, entries } = entry.table;
  const bytes = await snapshot.read(offsetBytes, entries * 8, 'bitmap table', signal);
  const table: Float64Array | Fault = parseBitmapTable(bytes, header.clusterBytes, snapshot.sizeBytes);
  if (!(table instanceof Float64Array)) throw faultError(where, table, 'FORMAT');
  return {
    granularityBytes: entry.granularityBytes,
    bits: { kind: 'stored', fd: snapshot.file.fd, clusterBytes: header.clusterBytes, table },
  };
}

async function scanAllocation(
  image: Qcow2Image,
  kernel: BitmapKernel,
  signal?: AbortSignal,
): Promise<LayerAllocation> {
  const { snapshot, header } = image;
  const { clusterBits, clusterBytes, extendedL2, version, externalData } = header;
  const bytes = await snapshot.read(header.l1.offsetBytes, header.l1.entries * 8, 'L1 table', signal);
  const tables: ClusterTables = {
    fd: snapshot.file.fd,
    clusterBits,
    extendedL2,
    version,
    externalData,
    l1: parseL1Table(image.state.label, bytes, clusterBytes, snapshot.sizeBytes),
    fileBytes: snapshot.sizeBytes,
  };
  const pager = (wanted: ClusterClass): RangePager => ({
    page: (window) => namingFile(image.state.label, () => kernel.scanClusters(tables, wanted, window)),
  });
  return { data: pager('data'), allocated: pager('allocated') };
}

/** The kernel knows a descriptor and no name: what it finds wrong in a file is told with the file. */
async function namingFile<T>(label: string, scan: () => Promise<T>): Promise<T> {
  try {
    return await scan();
  } catch (error) {
    if (!(error instanceof CbtError) || error.code !== 'ERR_CBT_CORRUPT_IMAGE') throw error;
    throw new CbtError(error.code, `${label}: ${error.message}`, { details: error.details, cause: error });
  }
}
