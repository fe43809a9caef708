/** The locks beside a VM's record: the kernel holds them over all processes of this machine, and they go with the process that has them. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type HeldLock, type HoldOptions, tryHold } from '../../linux/kernelLock.js';
import { VimFault } from './faults.js';

/** Changes of a record take milliseconds. */
const PATIENCE_MS = 30_000;

/** What is locked: the record itself for a change; the VM as it is; the beginning of a session. */
export type RecordLock = 'lock' | 'hold' | 'begin';

/** Null while somebody has it. */
export async function tryLock(
  file: string,
  what: RecordLock,
  options: HoldOptions = {},
): Promise<HeldLock | null> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  return tryHold(`${file}.${what}`, { create: 0o600, ...options });
}

/** The last of this process's waiters, by record: they take turns here before they ask the kernel. */
const queues = new Map<string, Promise<unknown>>();

/** One change of a record at a time. */
export async function withRecordLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const before = queues.get(file);
  const turn = (async (): Promise<T> => {
    await before?.catch(() => undefined);
    await using lock = await tryLock(file, 'lock', { waitMs: PATIENCE_MS });
    if (lock === null)
      throw new VimFault('TaskInProgress', `${file} is being changed by another process`, { task: file });
    return await work();
  })();
  queues.set(file, turn);
  try {
    return await turn;
  } finally {
    if (queues.get(file) === turn) queues.delete(file);
  }
}
