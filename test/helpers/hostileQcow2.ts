/** Asks all there is of a qcow2 image with a damaged field. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openImage } from '../../lib/backend/image/imageSource.js';
import type { DiskState } from '../../lib/core/diskSource.js';
import type { CbtError } from '../../lib/core/errors.js';
import { blindKernel } from './blindKernel.js';
import type { Qcow2Spec } from './qcow2Builder.js';
import { withFolder } from './qemuTools.js';

export const SIZE = 1 << 20;

export const CLUSTER = 1 << 16;

export const ONE_BITMAP: Qcow2Spec = { size: SIZE, bitmaps: [{ name: 'b', dirty: [3], flags: 2 }] };

export const sha = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** Everything there is to ask of an image; hands back the state, or throws. */
export async function askAll(bytes: Buffer): Promise<DiskState> {
  return withFolder(async (folder) => {
    const path = join(folder, 'disk.qcow2');
    await writeFile(path, bytes);
    const before = await sha(path);
    const source = await openImage(path, { kernel: blindKernel(), format: 'qcow2' });
    try {
      const state = await source.state();
      const window = { startBytes: 0, endBytes: state.sizeBytes, maxRanges: Number.POSITIVE_INFINITY };
      await (await source.allocatedRanges()).page(window);
      for (const { name, problem, inconsistent } of state.layers[0]!.bitmaps) {
        if (problem === undefined && !inconsistent)
          await (await source.bitmapRanges([{ layer: 0, name }], 65536)).page(window);
      }
      return state;
    } finally {
      await source.close();
      expect(await sha(path)).toBe(before);
    }
  });
}

export function expectFault(
  error: CbtError,
  code: string,
  field: string,
  value: unknown,
  limit: RegExp,
): void {
  expect(error.message).toContain(field);
  expect(error.message).toContain(String(value));
  expect(error.message).toMatch(limit);
  expect(error).toMatchObject({ code, details: { field, value } });
  expect(error.disk).toMatch(/disk\.qcow2$/);
}

export const CORRUPT = 'ERR_CBT_CORRUPT_IMAGE';

export const UNSUPPORTED = 'ERR_CBT_UNSUPPORTED';
