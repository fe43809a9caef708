/** Where on its disk a run stored what changed: shares of the disk, from the sums of the run’s own layers. No data is read. */
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { checkLayer } from '../layerFiles.js';
import { openForReading } from '../reading.js';
import { readSums } from '../sums.js';

/** One disk in one run. */
export interface DiskPlaces {
  run: number;
  key: string;
  /** Bytes stored of each of the disk’s parts, all of one size; null where the sums of the layer cannot be believed. */
  parts: number[] | null;
}

/** The runs of these numbers, each disk’s layer in so many parts. Prunes are kept out of the folder meanwhile. */
export async function whereChanged(
  from: string,
  runs: ReadonlySet<number>,
  parts: number,
  { signal }: CallOptions = {},
): Promise<DiskPlaces[]> {
  await using opened = await openForReading(from);
  const { folder } = opened;
  const places: DiskPlaces[] = [];
  for (const run of folder.runs.filter((one) => runs.has(one.run)))
    for (const disk of run.disks) {
      throwIfAborted(signal);
      const bytes = new Array<number>(parts).fill(0);
      const each = Math.max(1, disk.sizeBytes / parts);
      try {
        const { sums } = await checkLayer(folder, { run, disk });
        for await (const entries of readSums(sums, disk.sizeBytes, disk.sums))
          for (const { offset, length } of entries) spread(bytes, each, offset, offset + length);
        places.push({ run: run.run, key: disk.key, parts: bytes });
      } catch (error) {
        if (!CbtError.is(error, 'ERR_CBT_CORRUPT_IMAGE')) throw error;
        places.push({ run: run.run, key: disk.key, parts: null });
      }
    }
  return places;
}

function spread(bytes: number[], each: number, start: number, end: number): void {
  for (let at = start; at < end; ) {
    const part = Math.min(bytes.length - 1, Math.floor(at / each));
    const until = part === bytes.length - 1 ? end : Math.min(end, (part + 1) * each);
    bytes[part] = (bytes[part] ?? 0) + (until - at);
    if (until <= at) return;
    at = until;
  }
}
