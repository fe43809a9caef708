/** What the Parallels tests share: a folder that goes away, a kernel that reads bits one by one, and maps as plain pairs. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openParallels } from '../../../lib/backend/image/parallels/parallelsSource.js';
import type { BitmapKernel, BitmapSegment, LockState } from '../../../lib/core/bitmapKernel.js';
import type { DiskSource, DiskState } from '../../../lib/core/diskSource.js';
import type { RangePager, Window } from '../../../lib/core/rangePage.js';
import { tinyKernel } from '../../helpers/tinyKernel.js';

const folders: string[] = [];
const sources: DiskSource[] = [];

/** A new folder, removed after the test with every source that `openDisk` opened. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'prl-'));
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

export async function openDisk(path: string, kernel: BitmapKernel = plainKernel()): Promise<DiskSource> {
  const source = await openParallels(path, { kernel });
  sources.push(source);
  return source;
}

export async function stateOf(path: string): Promise<DiskState> {
  return (await openDisk(path)).state();
}

export function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** All ranges of [0, endBytes), asked for in pages of `maxRanges`, as [offset, length] pairs. */
export async function listRanges(
  pager: RangePager,
  endBytes: number,
  maxRanges = Number.POSITIVE_INFINITY,
): Promise<[number, number][]> {
  const pairs: [number, number][] = [];
  for (let at = 0; at < endBytes; ) {
    const page = await pager.page({ startBytes: at, endBytes, maxRanges });
    for (let i = 0; i < page.ranges.length; i += 2) pairs.push([page.ranges[i]!, page.ranges[i + 1]!]);
    at = page.nextBytes;
  }
  return pairs;
}

/** One bit at a time, by the format's words; locks are what the test says they are. */
export function plainKernel(lock: Partial<LockState> = {}): BitmapKernel {
  const scan = async (segments: readonly BitmapSegment[], granularityBytes: number, window: Window) => {
    const step = Math.max(granularityBytes, ...segments.map((segment) => segment.granularityBytes));
    let pairs: number[] = [];
    for (const segment of segments) {
      const { granularityBytes: own } = segment;
      for (let bit = 0; bit * own < window.endBytes; bit += 1) {
        if (!isDirty(segment, bit)) continue;
        const from = Math.floor((bit * own) / step) * step;
        pairs = [
          ...(
            await tinyKernel.union(Float64Array.from(pairs), Float64Array.of(from, step), {
              startBytes: 0,
              endBytes: window.endBytes,
              maxRanges: Number.POSITIVE_INFINITY,
            })
          ).ranges,
        ];
      }
    }
    return tinyKernel.clip(Float64Array.from(pairs), window);
  };
  return {
    ...tinyKernel,
    scanBitmaps: scan,
    countBitmaps: async (segments, granularityBytes, window) => {
      const { ranges } = await scan(segments, granularityBytes, {
        ...window,
        maxRanges: Number.POSITIVE_INFINITY,
      });
      return ranges.reduce((sum, value, i) => (i % 2 === 1 ? sum + value : sum), 0);
    },
    scanFileData: async (_fd, window) =>
      tinyKernel.clip(Float64Array.of(window.startBytes, window.endBytes - window.startBytes), window),
    lockState: async () => ({ writer: false, writersForbidden: false, ...lock }),
  };
}

function isDirty({ bits }: BitmapSegment, bit: number): boolean {
  if (bits.kind === 'memory') throw new Error('no bits in memory here');
  const entry = bits.table[Math.floor(bit / (bits.clusterBytes * 8))] ?? 0;
  if (entry <= 1) return entry === 1;
  const inside = bit % (bits.clusterBytes * 8);
  const byte = Buffer.alloc(1);
  if (readSync(bits.fd, byte, 0, 1, entry + (inside >> 3)) !== 1)
    throw new Error('read past the end of the file');
  return ((byte[0]! >> (inside & 7)) & 1) === 1;
}
