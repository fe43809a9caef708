/**
 * A record in a file of its own, and locks beside it: the kernel holds them over all processes of this machine, and they go with
 * the process that has them.
 */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CbtError } from '../core/errors.js';
import { onFile } from '../linux/fileFault.js';
import { type HeldLock, type HoldOptions, tryHold } from '../linux/kernelLock.js';
import { inTurn } from '../linux/turns.js';
import { writeWholeFile } from '../linux/wholeFile.js';

/** Changes of a record take milliseconds. */
const PATIENCE_MS = 30_000;
const MAX_BYTES = 16 << 20;

/** How the record is read from its file. */
export interface RecordForm<T> {
  /** Where there is no file. */
  empty(): T;
  /** Throws where the text is damaged. */
  parse(file: string, text: string): T;
}

/** A record of which there is always a whole one. `L`: the locks beside it. */
export class LockedRecord<T extends object, L extends string> {
  constructor(
    readonly file: string,
    readonly form: RecordForm<T>,
  ) {}

  /** As it was written last. */
  async read(): Promise<T> {
    let text: string;
    try {
      const { size } = await stat(this.file);
      if (size > MAX_BYTES)
        throw unreadable(this.file, `has ${size} bytes, at most ${MAX_BYTES} are read`, undefined);
      text = await readFile(this.file, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return this.form.empty();
      throw cause instanceof CbtError ? cause : unreadable(this.file, 'cannot be read', cause);
    }
    return this.form.parse(this.file, text);
  }

  /** Changes it, alone on this machine; the record as it is then. Nothing is written when nothing changed, and no file stays of an empty one. */
  async update(change: (record: T) => void | Promise<void>): Promise<T> {
    return this.#alone(async () => {
      const record = await this.read();
      const before = JSON.stringify(record);
      await change(record);
      const text = JSON.stringify(record);
      if (text === JSON.stringify(this.form.empty()))
        await onFile(this.file, 'removing', () => rm(this.file, { force: true }));
      else if (text !== before)
        await writeWholeFile(this.file, (to) => to.writeFile(`${JSON.stringify(record, null, 2)}\n`), {
          mode: 0o600,
        });
      return record;
    });
  }

  /** Null while somebody has it. To be given back with {@link unlock}. */
  async tryLock(what: L, options: HoldOptions = {}): Promise<HeldLock | null> {
    return this.#tryHold(what, options);
  }

  /** Lets go of a lock; its file stays with the record only. */
  async unlock(lock: HeldLock): Promise<void> {
    if (await isThere(this.file)) await lock.release();
    else await lock.remove();
  }

  /** Whether something can be kept here. Where the folder cannot be made nobody has anything in it either. */
  async canKeep(): Promise<boolean> {
    const folder = dirname(this.file);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return true;
    } catch (cause) {
      if (!(await isThere(folder))) return false;
      throw unreadable(folder, 'cannot be used; QEMU_CBT_STATE names another folder', cause);
    }
  }

  async #tryHold(what: L | 'lock', options: HoldOptions): Promise<HeldLock | null> {
    const folder = dirname(this.file);
    await onFile(folder, 'making', () => mkdir(folder, { recursive: true, mode: 0o700 }));
    return tryHold(`${this.file}.${what}`, { create: 0o600, ...options });
  }

  async #alone<R>(work: () => Promise<R>): Promise<R> {
    return inTurn(this.file, async () => {
      const lock = await this.#tryHold('lock', { waitMs: PATIENCE_MS });
      if (lock === null) throw busy(`${this.file} is being changed by another process`, this.file);
      try {
        return await work();
      } finally {
        await this.unlock(lock);
      }
    });
  }
}

/** Where records are kept: the folder that QEMU_CBT_STATE names, else /var/lib/qemu-cbt, or the user's own state folder. */
export function defaultStateFolder(): string {
  const named = process.env['QEMU_CBT_STATE'];
  if (named) return resolve(named);
  if (process.getuid?.() === 0) return '/var/lib/qemu-cbt';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'qemu-cbt');
}

/** `BUSY`, with what is under way in `details.task`. */
export function busy(message: string, task: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { reason: 'BUSY', details: { task } });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function unreadable(file: string, what: string, cause: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${file} ${what}`, { details: { path: file }, cause });
}
