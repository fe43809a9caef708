/** What the Parallels tests share: a folder that goes away, disks that are closed, and maps as plain pairs. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openImage } from '../../../../../lib/backend/image/imageSource.js';
import type { BitmapKernel, LockState } from '../../../../../lib/core/bitmapKernel.js';
import type { DiskSource, DiskState } from '../../../../../lib/core/diskSource.js';
import type { RangePager } from '../../../../../lib/core/rangePage.js';
import { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import { createScriptKernel } from '../../../../../lib/kernel/scriptKernel.js';

/** A new folder, removed after the test, when every source that `openDisk` opened in it is closed. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'prl-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export async function openDisk(path: string, kernel: BitmapKernel = kernelWith()): Promise<DiskSource> {
  const source = await openImage(path, { kernel, format: 'parallels' });
  onTestFinished(() => source.close());
  return source;
}

export async function stateOf(path: string): Promise<DiskState> {
  return (await openDisk(path)).state();
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

/** The script kernel; locks are what the test says they are. */
export function kernelWith(lock: Partial<LockState> = {}): BitmapKernel {
  return {
    ...createScriptKernel(),
    lockState: async () => ({ writer: false, writersForbidden: false, ...lock }),
  };
}

export const ID = '00112233-4455-6677-8899-aabbccddeeff';

export const KIB64 = 65_536;

export const changed = async (path: string, from = ID): Promise<[number, number][]> => {
  const source = await openDisk(path);
  const map = await new TrackedDisk(source, kernelWith()).changes({ from });
  return pairs(await map.ranges());
};

export const pairs = (flat: Float64Array): [number, number][] =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
