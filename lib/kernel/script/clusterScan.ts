/**
 * Which clusters of a qcow2 layer hold what, from its L1 and L2 tables. L2 tables are read in windows; an L1 entry without
 * a table costs a look. O(L1 entries + L2 entries of the window), memory one read and the window's L1 entries.
 */
import type { ClusterClass, ClusterTables } from '../../core/bitmapKernel.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import { checkByteCount, checkWindow, type RangePage, type Window } from '../../core/rangePage.js';
import { checkFd, readUpTo } from './fileReader.js';
import { ALL_SUBCLUSTERS, type L2Entry, type L2Rules, readL2Entry } from './l2Entry.js';
import { type LevelSink, PageBuilder } from './levels.js';
import { MAX_CLUSTER_BITS, MIN_CLUSTER_BITS, MIN_EXTENDED_CLUSTER_BITS, READ_BYTES } from './limits.js';
import { Pace } from './pace.js';
import { takeNumbers } from './snapshots.js';

const SUBCLUSTERS = 32;

export async function scanClusters(
  tables: ClusterTables,
  wanted: ClusterClass,
  window: Window,
): Promise<RangePage> {
  checkWindow(window);
  checkTables(tables);
  if (wanted !== 'data' && wanted !== 'allocated') {
    throw invalidArgument('wanted', wanted, '"data" or "allocated"');
  }
  const scan = new ClusterScan(tables, wanted, window);
  const pace = new Pace(window.signal);
  const page = new PageBuilder(window);
  await scan.run(page, pace);
  return page.finish();
}

function checkTables(tables: ClusterTables): void {
  const { fd, clusterBits, extendedL2, version, externalData, fileBytes } = tables;
  checkFd('tables.fd', fd);
  for (const [name, flag] of Object.entries({ extendedL2, externalData })) {
    if (typeof flag !== 'boolean') throw invalidArgument(`tables.${name}`, flag, 'true or false');
  }
  const least = extendedL2 ? MIN_EXTENDED_CLUSTER_BITS : MIN_CLUSTER_BITS;
  if (!Number.isInteger(clusterBits) || clusterBits < least || clusterBits > MAX_CLUSTER_BITS) {
    throw invalidArgument(
      'tables.clusterBits',
      clusterBits,
      `an integer from ${least} to ${MAX_CLUSTER_BITS}`,
    );
  }
  if (version !== 2 && version !== 3) throw invalidArgument('tables.version', version, '2 or 3');
  if (version === 2 && (extendedL2 || externalData)) {
    throw invalidArgument('tables.version', version, '3 with extended L2 entries or an external data file');
  }
  checkByteCount('tables.fileBytes', fileBytes);
}

class ClusterScan {
  readonly #fd: number;
  readonly #rules: L2Rules;
  readonly #wanted: ClusterClass;
  readonly #entryBytes: number;
  /** Entries of an L2 table, which is one cluster long. */
  readonly #tableEntries: number;
  readonly #firstCluster: number;
  readonly #endCluster: number;
  /** L1 entries from `#firstTable` on. */
  readonly #l1: Float64Array;
  readonly #firstTable: number;

  constructor(tables: ClusterTables, wanted: ClusterClass, { startBytes, endBytes }: Window) {
    const { fd, clusterBits, extendedL2, version, externalData, fileBytes } = tables;
    const clusterBytes = 2 ** clusterBits;
    this.#fd = fd;
    this.#rules = { clusterBytes, extendedL2, version, externalData, fileBytes };
    this.#wanted = wanted;
    this.#entryBytes = extendedL2 ? 16 : 8;
    this.#tableEntries = clusterBytes / this.#entryBytes;
    this.#firstCluster = Math.floor(startBytes / clusterBytes);
    this.#endCluster = startBytes === endBytes ? this.#firstCluster : Math.ceil(endBytes / clusterBytes);
    this.#firstTable = Math.floor(this.#firstCluster / this.#tableEntries);
    const endTable = Math.ceil(this.#endCluster / this.#tableEntries);
    this.#l1 = takeNumbers('tables.l1', tables.l1, this.#firstTable, endTable);
    if (tables.l1.length < endTable && startBytes < endBytes) {
      throw invalidArgument(
        'tables.l1',
        `${tables.l1.length} entries`,
        `at least ${endTable} for a window that ends at byte ${endBytes}`,
      );
    }
  }

  async run(sink: LevelSink, pace: Pace): Promise<void> {
    for (let cluster = this.#firstCluster; cluster < this.#endCluster; ) {
      const table = Math.floor(cluster / this.#tableEntries);
      const tableEnd = Math.min((table + 1) * this.#tableEntries, this.#endCluster);
      const offset = this.#tableOffset(table);
      if (offset === 0) {
        if (!sink.level(cluster * this.#rules.clusterBytes, false)) return;
        cluster = tableEnd;
        if (pace.spent(1)) await pace.rest();
        continue;
      }
      const end = Math.min(tableEnd, cluster + READ_BYTES / this.#entryBytes);
      const entries = await this.#read(table, offset, cluster, end);
      pace.check();
      if (!this.#levels(entries, cluster, end, sink)) return;
      if (pace.spent(end - cluster)) await pace.rest();
      cluster = end;
    }
  }

  /** Offset of an L2 table in the file, 0 for none. */
  #tableOffset(table: number): number {
    const offset = this.#l1[table - this.#firstTable] ?? 0;
    if (offset === 0) return 0;
    checkByteCount(`tables.l1[${table}]`, offset);
    const { clusterBytes, fileBytes } = this.#rules;
    const unaligned = offset % clusterBytes !== 0;
    if (unaligned || offset >= fileBytes) {
      const why = unaligned
        ? `which is not a multiple of the cluster size ${clusterBytes}`
        : `past the end of the file (${fileBytes} bytes)`;
      throw new CbtError('ERR_CBT_CORRUPT_IMAGE', `L2 table ${table} is at byte ${offset}, ${why}`, {
        details: { l1Index: table, offsetBytes: offset },
      });
    }
    return offset;
  }

  /** The entries of clusters [first, end), all in one table. */
  async #read(table: number, offset: number, first: number, end: number): Promise<DataView> {
    const at = offset + (first - table * this.#tableEntries) * this.#entryBytes;
    const length = (end - first) * this.#entryBytes;
    const bytes = await readUpTo(this.#fd, at, length, `L2 table ${table}`);
    if (bytes.length < length) {
      throw new CbtError(
        'ERR_CBT_CORRUPT_IMAGE',
        `L2 table ${table} at byte ${offset} reaches past the end of the file (${at + bytes.length} bytes)`,
        { details: { l1Index: table, offsetBytes: offset, fileBytes: at + bytes.length } },
      );
    }
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Tells the sink about clusters [first, end); false when it wants no more. */
  #levels(entries: DataView, first: number, end: number, sink: LevelSink): boolean {
    const { clusterBytes, extendedL2 } = this.#rules;
    for (let cluster = first; cluster < end; cluster += 1) {
      const at = (cluster - first) * this.#entryBytes;
      const entry: L2Entry = {
        high: entries.getUint32(at),
        low: entries.getUint32(at + 4),
        zeros: extendedL2 ? entries.getUint32(at + 8) : 0,
        stored: extendedL2 ? entries.getUint32(at + 12) : 0,
        guestBytes: cluster * clusterBytes,
      };
      const meaning = readL2Entry(this.#rules, entry);
      if (typeof meaning === 'string') throw this.#badEntry(cluster, entry, meaning);
      const inside = meaning[this.#wanted];
      if (inside === 0 || inside === ALL_SUBCLUSTERS) {
        if (!sink.level(entry.guestBytes, inside !== 0)) return false;
        continue;
      }
      for (let bit = 0; bit < SUBCLUSTERS; bit += 1) {
        const offset = entry.guestBytes + (bit * clusterBytes) / SUBCLUSTERS;
        if (!sink.level(offset, ((inside >>> bit) & 1) === 1)) return false;
      }
    }
    return true;
  }

  #badEntry(cluster: number, entry: L2Entry, why: string): CbtError {
    const l1Index = Math.floor(cluster / this.#tableEntries);
    const l2Index = cluster % this.#tableEntries;
    const first = hex(entry.high, entry.low);
    const value = this.#rules.extendedL2 ? `${first} ${hex(entry.zeros, entry.stored)}` : first;
    return new CbtError(
      'ERR_CBT_CORRUPT_IMAGE',
      `entry ${l2Index} of L2 table ${l1Index} (guest byte ${entry.guestBytes}) is ${value}: ${why}`,
      { details: { l1Index, l2Index, value } },
    );
  }
}

/** A 64-bit word as 0x and 16 digits. */
function hex(high: number, low: number): string {
  return `0x${[high, low].map((half) => half.toString(16).padStart(8, '0')).join('')}`;
}
