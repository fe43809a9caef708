/**
 * Bitmaps in the clusters of a file, laid out as a qcow2 or Parallels image would: clean and dirty clusters named by their
 * table alone, the others at scattered offsets.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLUSTER_ALL_CLEAN, CLUSTER_ALL_DIRTY, type StoredBits } from '../../lib/core/bitmapKernel.js';

/** A file that grows by what is put into it. */
export class ScratchFile {
  readonly path: string;
  readonly #folder: string;
  readonly #handle: FileHandle;
  #end = 0;

  private constructor(folder: string, path: string, handle: FileHandle) {
    this.#folder = folder;
    this.path = path;
    this.#handle = handle;
  }

  static async make(): Promise<ScratchFile> {
    const folder = mkdtempSync(join(tmpdir(), 'cbt-'));
    const path = join(folder, 'file');
    return new ScratchFile(folder, path, await open(path, 'w+'));
  }

  get fd(): number {
    return this.#handle.fd;
  }

  get sizeBytes(): number {
    return this.#end;
  }

  /** Appends at the next multiple of `alignBytes`, never at 0 (which names no cluster); answers where. */
  async put(bytes: Uint8Array, alignBytes = 512): Promise<number> {
    const offset = Math.ceil(Math.max(this.#end, alignBytes) / alignBytes) * alignBytes;
    await this.putAt(offset, bytes);
    return offset;
  }

  async putAt(offset: number, bytes: Uint8Array): Promise<void> {
    // Claimed before the write, so that two at once do not share a place.
    this.#end = Math.max(this.#end, offset + bytes.length);
    await this.#handle.write(bytes, 0, bytes.length, offset);
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#handle.truncate(sizeBytes);
    this.#end = sizeBytes;
  }

  async remove(): Promise<void> {
    await this.#handle.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Bits in clusters. Uniform clusters become table entries 0 and 1; what the bits leave of the last cluster is clean. The
 * file holds every third cluster first and backwards, so that some follow one another and most do not.
 */
export async function storeBits(
  file: ScratchFile,
  bits: Uint8Array,
  clusterBytes: number,
): Promise<StoredBits> {
  const table = new Float64Array(Math.ceil(bits.length / clusterBytes));
  const clusters = [...table.keys()];
  const order = [...clusters.filter((i) => i % 3 === 0).reverse(), ...clusters.filter((i) => i % 3 !== 0)];
  for (const i of order) {
    const cluster = new Uint8Array(clusterBytes);
    cluster.set(bits.subarray(i * clusterBytes, (i + 1) * clusterBytes));
    if (cluster.every((byte) => byte === 0)) table[i] = CLUSTER_ALL_CLEAN;
    else if (cluster.every((byte) => byte === 0xff)) table[i] = CLUSTER_ALL_DIRTY;
    else table[i] = await file.put(cluster);
  }
  return { kind: 'stored', fd: file.fd, clusterBytes, table };
}
