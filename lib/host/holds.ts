/**
 * Who holds a VM as it is, and who is changing it, over all processes of this machine: one holder or any number of changes, by a
 * lock of the kernel's that ends with its process. What the record says of them is for messages; what a process that died left
 * there is nobody's.
 */
import type { CbtError } from '../core/errors.js';
import type { HeldLock } from '../linux/kernelLock.js';
import { mayBeUnseen } from '../linux/lockReach.js';
import { type Machine, thisMachine } from '../linux/machine.js';
import { busy, type RecordStore } from './recordStore.js';
import type { VmRecord } from './vmRecord.js';

/** A process, for whoever reads the record. */
export type Owner = Machine & { pid: number };

/** What one client of this process holds: the same name said by another client is another holder. */
export class Holds {
  /** By the VM's record. */
  readonly #held = new Map<string, { identity: string; lock: HeldLock }>();

  /** @internal Keeps the VM as it is until {@link letGo}; `BUSY` while another holds or changes it. */
  async hold(records: RecordStore, identity: string): Promise<void> {
    const { file } = records;
    if (this.#held.get(file)?.identity === identity) return;
    const lock = await records.tryLock('hold');
    if (lock === null) throw await inTheWay(records);
    try {
      const owner = await ownOwner();
      await requireNobodyElsewhere(records);
      await records.update((record) => {
        record.holder = { identity, owner, since: new Date().toISOString() };
        record.changes = [];
      });
      this.#held.set(file, { identity, lock });
    } catch (thrown) {
      await lock.release();
      throw thrown;
    }
  }

  /** @internal False where this identity does not hold it. What another client or process that still runs holds stays held. */
  async letGo(records: RecordStore, identity: string): Promise<boolean> {
    const { file } = records;
    const own = this.#held.get(file);
    if (own !== undefined && own.identity !== identity) return false;
    await using lock = own?.lock ?? (await records.tryLock('hold'));
    if (lock === null) return false;
    this.#held.delete(file);
    const { holder } = await records.read();
    const left = holder?.identity === identity && !(await mayBeUnseen(file, holder.owner));
    if (own === undefined && !left) return false;
    await records.update((record) => {
      record.holder = null;
    });
    return true;
  }

  /** Lets go of everything, as the end of a process would: what the records say of it is nobody's then. */
  async release(): Promise<void> {
    const held = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(held.map(({ lock }) => lock.release()));
  }
}

/** Runs a change of the VM, which nobody may begin to hold meanwhile; `BUSY` while somebody does. */
export async function changing<T>(records: RecordStore, task: string, work: () => Promise<T>): Promise<T> {
  await using lock = await records.tryLock('hold', { mode: 'shared' });
  if (lock === null) throw await inTheWay(records);
  await requireNobodyElsewhere(records);
  const change = { task, owner: await ownOwner() };
  await records.update((record) => {
    record.holder = null;
    record.changes.push(change);
  });
  const over = () =>
    records.update(({ changes }) => {
      const at = changes.findIndex((one) => one.task === task && one.owner.pid === change.owner.pid);
      if (at >= 0) changes.splice(at, 1);
    });
  let result: T;
  try {
    result = await work();
  } catch (thrown) {
    // Why the work failed is what the caller must hear.
    await over().catch(() => undefined);
    throw thrown;
  }
  await over();
  return result;
}

/** Forgets what processes that died held or were changing; how many of them held it. */
export async function dropDead(records: RecordStore): Promise<number> {
  const { holder, changes } = await records.read();
  if (holder === null && changes.length === 0) return 0;
  await using lock = await records.tryLock('hold');
  // Somebody holds or changes it, and clears up when that is over.
  if (lock === null || (await findElsewhere(records)) !== null) return 0;
  let freed = 0;
  await records.update((record) => {
    freed = record.holder === null ? 0 : 1;
    record.holder = null;
    record.changes = [];
  });
  return freed;
}

/** This process. */
export async function ownOwner(): Promise<Owner> {
  return { pid: process.pid, ...(await thisMachine()) };
}

/** Why the lock could not be had. */
async function inTheWay(records: RecordStore): Promise<CbtError> {
  const why = 'another process holds or changes it';
  return busyWith(records, await records.read()) ?? busy(`${records.name}: ${why}`, why);
}

/** Where locks do not reach other machines, what their processes wrote counts. */
async function requireNobodyElsewhere(records: RecordStore): Promise<void> {
  const there = await findElsewhere(records);
  if (there !== null) throw busyWith(records, there);
}

async function findElsewhere(records: RecordStore): Promise<Pick<VmRecord, 'holder' | 'changes'> | null> {
  const { holder, changes } = await records.read();
  for (const change of changes)
    if (await mayBeUnseen(records.file, change.owner)) return { holder: null, changes: [change] };
  return holder !== null && (await mayBeUnseen(records.file, holder.owner)) ? { holder, changes: [] } : null;
}

function busyWith(
  { name }: RecordStore,
  { holder, changes }: Pick<VmRecord, 'holder' | 'changes'>,
): CbtError | null {
  if (holder !== null) {
    const { identity, owner, since } = holder;
    const who = `${identity} (process ${owner.pid} on ${owner.host})`;
    const when = since === undefined ? '' : ` since ${since}`;
    return busy(`${name} is held by ${who}${when} until VixDiskLib_EndAccess`, identity);
  }
  const [change] = changes;
  if (change === undefined) return null;
  const why = `${change.task} of process ${change.owner.pid} is changing it`;
  return busy(`${name}: ${why}`, why);
}
