/**
 * Notices that somebody writes to a file while it is being read. QEMU says so by its lock bytes for as long as it holds an
 * image; a writer that came and went shows in the file's time of change, or in the bytes that were read first.
 *
 *   lock? stamp | read ... | lock? stamp? | page | lock? stamp? | ... | last page | lock? stamp? bytes?
 */
import { createHash } from 'node:crypto';
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import { CbtError } from '../../core/errors.js';
import type { FileSnapshot, ImageFile } from './imageFile.js';

interface Mark {
  snapshot: FileSnapshot;
  offsetBytes: number;
  lengthBytes: number;
  digest: string;
}

/** What a reading is watched by from its first byte. */
export type Watch = Pick<WriterGuard, 'add' | 'mark'>;

/** For readings that only tell QEMU what to open: it takes its own locks. */
export const UNWATCHED: Watch = { add: (file) => file.snapshot(), mark: () => undefined };

export class WriterGuard {
  readonly #kernel: BitmapKernel;
  readonly #snapshots: FileSnapshot[] = [];
  readonly #marks: Mark[] = [];

  constructor(kernel: BitmapKernel) {
    this.#kernel = kernel;
  }

  /** The file as it is now, refused when a writer holds it; from here on it is watched. */
  async add(file: ImageFile): Promise<FileSnapshot> {
    const [snapshot] = await Promise.all([file.snapshot(), this.#refuseWriter(file)]);
    this.#snapshots.push(snapshot);
    return snapshot;
  }

  /** Remembers bytes that were read and that every later answer stands on. */
  mark(snapshot: FileSnapshot, offsetBytes: number, bytes: Buffer): void {
    this.#marks.push({ snapshot, offsetBytes, lengthBytes: bytes.length, digest: digestOf(bytes) });
  }

  /** Throws when a writer holds one of the files, or wrote to one since it was added. */
  async check(): Promise<void> {
    for (const snapshot of this.#snapshots) {
      const [isCurrent] = await Promise.all([snapshot.isCurrent(), this.#refuseWriter(snapshot.file)]);
      if (!isCurrent) throw changed(snapshot.file.path);
    }
  }

  /** As {@link check}, and reads again what was marked. */
  async checkContents(): Promise<void> {
    await this.check();
    for (const { snapshot, offsetBytes, lengthBytes, digest } of this.#marks) {
      const bytes = await snapshot.file.readUpTo(offsetBytes, lengthBytes);
      if (digestOf(bytes) !== digest) throw changed(snapshot.file.path);
    }
  }

  /** Equal for two guards exactly when all files and all marked bytes were the same. */
  fingerprint(): string {
    const files = this.#snapshots.map(({ file, stamp }) => [
      file.identity,
      stamp.sizeBytes,
      `${stamp.changedNs}`,
    ]);
    return JSON.stringify([files, this.#marks.map((mark) => [mark.offsetBytes, mark.digest])]);
  }

  async #refuseWriter(file: ImageFile): Promise<void> {
    const lock = await this.#kernel.lockState(file.fd);
    if (!lock.writer) return;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${file.path} is held open for writing by a running QEMU, which keeps the bitmaps in memory: ask it live, as qmp:<socket>#<disk>`,
      { reason: 'BUSY', details: { path: file.path } },
    );
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}

function changed(path: string): CbtError {
  return new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${path} was written to while it was being read: ask again`,
    { reason: 'BUSY', details: { path } },
  );
}
