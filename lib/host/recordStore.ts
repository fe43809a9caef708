/**
 * Where the record of a VM is, and the locks beside it: the kernel holds them over all processes of this machine, and they go with
 * the process that has them.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CbtError } from '../core/errors.js';
import { type HeldLock, type HoldOptions, tryHold } from '../linux/kernelLock.js';
import { inTurn } from '../linux/turns.js';
import { writeWholeFile } from '../linux/wholeFile.js';
import { emptyRecord, parseRecord, type VmRecord } from './vmRecord.js';

/** Changes of a record take milliseconds. */
const PATIENCE_MS = 30_000;
const MAX_BYTES = 16 << 20;

/** What is locked: the VM as it is; the beginning of a session. */
export type RecordLock = 'hold' | 'begin';

/** What is remembered of a VM, in a file of its own. */
export class RecordStore {
  /** The record; its locks are beside it. */
  readonly file: string;

  /** `name`: of the VM, as messages call it. */
  constructor(
    readonly folder: string,
    readonly name: string,
  ) {
    const plain = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
    const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
    this.file = join(folder, `${plain}-${hash}.json`);
  }

  /** As it was written last; there is always one whole record. */
  async read(): Promise<VmRecord> {
    let text: string;
    try {
      const { size } = await stat(this.file);
      if (size > MAX_BYTES)
        throw unreadable(this.file, `has ${size} bytes, at most ${MAX_BYTES} are read`, undefined);
      text = await readFile(this.file, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return emptyRecord();
      throw cause instanceof CbtError ? cause : unreadable(this.file, 'cannot be read', cause);
    }
    return parseRecord(this.file, text);
  }

  /** Changes it, alone on this machine; the record as it is then. Nothing is written when nothing changed. */
  async update(change: (record: VmRecord) => void): Promise<VmRecord> {
    return this.#alone(async () => {
      const record = await this.read();
      const before = JSON.stringify(record);
      change(record);
      if (JSON.stringify(record) !== before)
        await writeWholeFile(this.file, (to) => to.writeFile(`${JSON.stringify(record, null, 2)}\n`), {
          mode: 0o600,
        });
      return record;
    });
  }

  /** Null while somebody has it. */
  async tryLock(what: RecordLock, options: HoldOptions = {}): Promise<HeldLock | null> {
    return this.#tryHold(what, options);
  }

  async #tryHold(what: RecordLock | 'lock', options: HoldOptions): Promise<HeldLock | null> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    return tryHold(`${this.file}.${what}`, { create: 0o600, ...options });
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    return inTurn(this.file, async () => {
      await using lock = await this.#tryHold('lock', { waitMs: PATIENCE_MS });
      if (lock === null) throw busy(`${this.file} is being changed by another process`, this.file);
      return await work();
    });
  }
}

/** Where records are kept: /var/lib/qemu-cbt, or the user's own state folder. */
export function defaultStateFolder(): string {
  if (process.getuid?.() === 0) return '/var/lib/qemu-cbt';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'qemu-cbt');
}

/** `BUSY`, with what is under way in `details.task`. */
export function busy(message: string, task: string): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { reason: 'BUSY', details: { task } });
}

function unreadable(file: string, what: string, cause: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${file} ${what}`, { details: { path: file }, cause });
}
