/** Images in a folder that is there for one test, and what is opened of them, with a kernel that finds nothing in them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { openImage } from '../../lib/backend/image/imageSource.js';
import type { DiskSource } from '../../lib/core/diskSource.js';
import { type BlindKernel, blindKernel } from './blindKernel.js';
import { buildQcow2, type Qcow2Spec } from './qcow2Builder.js';
import { makeTemporaryFolder, type TemporaryFolder } from './temporaryFolder.js';

export const SIZE = 1 << 20;
export const ALL = { startBytes: 0, endBytes: SIZE, maxRanges: Number.POSITIVE_INFINITY };

let temporary: TemporaryFolder;

export let folder: string;

export let kernel: BlindKernel;

export let sources: DiskSource[];

export function useImageFolder(): void {
  beforeEach(async () => {
    kernel = blindKernel();
    sources = [];
    temporary = await makeTemporaryFolder();
    folder = temporary.path;
  });

  afterEach(async () => {
    for (const source of sources) await source.close();
    await temporary.remove();
  });
}

/** Writes an image, or these bytes, under the name. */
export async function put(name: string, spec: Qcow2Spec | Buffer = {}): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, Buffer.isBuffer(spec) ? spec : buildQcow2({ size: SIZE, ...spec }).bytes);
  return path;
}

/** Opens it; it is closed with the test. */
export async function open(path: string, format?: 'qcow2' | 'raw'): Promise<DiskSource> {
  const source = await openImage(path, { kernel, ...(format && { format }) });
  sources.push(source);
  return source;
}
