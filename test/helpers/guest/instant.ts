/**
 * The contents of one disk at one instant, copied out of an export or an image into a raw file, and what e2fsprogs says of
 * the file system in it.
 */
import { open, readFile, rm } from 'node:fs/promises';
import { qemuImg } from '../qemuProcess.js';
import { e2fsprogs } from './e2fsprogs.js';

const CHUNK_BYTES = 1 << 20;

export class Instant {
  private constructor(
    /** A raw image. */
    readonly file: string,
  ) {}

  /** Copies what `source` holds now: an NBD URI, or an image of the format. */
  static async copy(source: string, file: string, format = 'raw'): Promise<Instant> {
    await qemuImg(['convert', '-f', format, '-O', 'raw', source, file]);
    return new Instant(file);
  }

  /** Whether the file system's journal holds anything that is not yet in its place: so after a crash, not after a freeze. */
  async needsRecovery(): Promise<boolean> {
    const features = /^Filesystem features:(.*)$/m.exec(await e2fsprogs('dumpe2fs', ['-h', this.file]))?.[1];
    if (features === undefined) throw new Error(`${this.file} holds no file system`);
    return features.includes('needs_recovery');
  }

  /** Throws unless the file system is sound as it lies there; changes nothing. */
  async check(): Promise<void> {
    await e2fsprogs('e2fsck', ['-fn', this.file]);
  }

  /** Does what mounting does after a crash. */
  async recover(): Promise<void> {
    await e2fsprogs('e2fsck', ['-E', 'journal_only', '-y', this.file]);
  }

  /** Contents of a file in the file system. */
  async read(path: string): Promise<Buffer> {
    const copy = `${this.file}.file`;
    try {
      await e2fsprogs('debugfs', ['-R', `dump ${path} ${copy}`, this.file]);
      return await readFile(copy);
    } finally {
      await rm(copy, { force: true });
    }
  }

  /** Where this one differs from another of the same size, in pieces of so many bytes: their offsets, ascending. */
  async differences(other: Instant, pieceBytes: number): Promise<number[]> {
    const offsets: number[] = [];
    await using mine = await open(this.file);
    await using its = await open(other.file);
    const [a, b] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
    for (let start = 0; ; start += CHUNK_BYTES) {
      const { bytesRead } = await mine.read(a, 0, CHUNK_BYTES, start);
      const { bytesRead: itsBytes } = await its.read(b, 0, CHUNK_BYTES, start);
      if (bytesRead !== itsBytes) throw new Error(`${this.file} and ${other.file} differ in size`);
      if (bytesRead === 0) return offsets;
      if (a.compare(b, 0, bytesRead, 0, bytesRead) === 0) continue;
      for (let at = 0; at < bytesRead; at += pieceBytes) {
        const end = Math.min(at + pieceBytes, bytesRead);
        if (a.compare(b, at, end, at, end) !== 0) offsets.push(start + at);
      }
    }
  }

  remove(): Promise<void> {
    return rm(this.file);
  }
}
