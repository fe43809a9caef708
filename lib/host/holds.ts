/**
 * Who holds a VM as it is, and who is changing it, over all processes of this machine: one holder or any number of changes, by a
 * lock of the kernel's that ends with its process. What the record says of them is for messages; what a process that died left
 * there is nobody's.
 */
import type { CbtError } from '../core/errors.js';
import type { HeldLock } from '../linux/kernelLock.js';
import { mayBeUnseen } from '../linux/lockReach.js';
import { type Machine, thisMachine } from '../linux/machine.js';
import type { HoldRecord, HoldStore } from './holdStore.js';
import { busy } from './lockedRecord.js';

/** A process, for whoever reads the record. */
export type Owner = Machine & { pid: number };

/** Those of processes that died are only cleared by a holder. */
const MOST_CHANGES = 64;

/**
 * What one client of this process holds: the same name said by another client is another holder.
 * @example
 * ```ts
 * const web = await new Inventory().require('web');
 * await web.hold('nightly backup');
 * await web.letGo('nightly backup');
 * ```
 */
export class Holds {
  /** By file. */
  readonly #held = new Map<string, { identity: string; lock: HeldLock }>();

  /** @internal Keeps the VM as it is until {@link letGo}; `BUSY` while another holds or changes it. */
  async hold(holders: HoldStore, identity: string): Promise<void> {
    const { file } = holders;
    if (this.#held.get(file)?.identity === identity) return;
    const lock = await holders.tryLock('hold');
    if (lock === null) throw await inTheWay(holders);
    try {
      const owner = await ownOwner();
      await requireNobodyElsewhere(holders);
      await holders.update((record) => {
        record.holder = { identity, owner, since: new Date().toISOString() };
        record.changes = [];
      });
      this.#held.set(file, { identity, lock });
    } catch (thrown) {
      await holders.unlock(lock);
      throw thrown;
    }
  }

  /** @internal False where this identity does not hold it. What another client or process that still runs holds stays held. */
  async letGo(holders: HoldStore, identity: string): Promise<boolean> {
    const { file } = holders;
    const own = this.#held.get(file);
    if (own !== undefined && own.identity !== identity) return false;
    const lock = own?.lock ?? (await holders.tryLock('hold'));
    if (lock === null) return false;
    this.#held.delete(file);
    try {
      const { holder } = await holders.read();
      const left = holder?.identity === identity && !(await mayBeUnseen(file, holder.owner));
      if (own === undefined && !left) return false;
      await holders.update((record) => {
        record.holder = null;
      });
      return true;
    } finally {
      await holders.unlock(lock);
    }
  }

  /**
   * Lets go of everything, as the end of a process would: what the records say of it is nobody's then.
   * @throws The first failure; all are let go all the same.
   */
  async release(): Promise<void> {
    const held = [...this.#held.values()];
    this.#held.clear();
    await Promise.all(held.map(({ lock }) => lock.release()));
  }
}

/** Runs a change of the VM, which nobody may begin to hold meanwhile; `BUSY` while somebody does. */
export async function changing<T>(holders: HoldStore, task: string, work: () => Promise<T>): Promise<T> {
  const over = await beginChange(holders, task);
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

/** The same of a change that ends when what this returns is called. */
export async function beginChange(holders: HoldStore, task: string): Promise<() => Promise<void>> {
  const lock = await holders.tryLock('hold', { mode: 'shared' });
  if (lock === null) throw await inTheWay(holders);
  const change = { task, owner: await ownOwner() };
  try {
    await requireNobodyElsewhere(holders);
    await holders.update((record) => {
      record.holder = null;
      record.changes = [...record.changes, change].slice(-MOST_CHANGES);
    });
  } catch (thrown) {
    await holders.unlock(lock);
    throw thrown;
  }
  return async () => {
    try {
      await holders.update(({ changes }) => {
        const at = changes.findIndex((one) => one.task === task && one.owner.pid === change.owner.pid);
        if (at >= 0) changes.splice(at, 1);
      });
    } finally {
      await holders.unlock(lock);
    }
  };
}

/** Forgets what processes that died held or were changing; how many of them held it. */
export async function dropDead(holders: HoldStore): Promise<number> {
  const { holder, changes } = await holders.read();
  if (holder === null && changes.length === 0) return 0;
  const lock = await holders.tryLock('hold');
  // Somebody holds or changes it, and clears up when that is over.
  if (lock === null) return 0;
  try {
    if ((await findElsewhere(holders)) !== null) return 0;
    let freed = 0;
    await holders.update((record) => {
      freed = record.holder === null ? 0 : 1;
      record.holder = null;
      record.changes = [];
    });
    return freed;
  } finally {
    await holders.unlock(lock);
  }
}

/** This process. */
export async function ownOwner(): Promise<Owner> {
  return { pid: process.pid, ...(await thisMachine()) };
}

/** Why the lock could not be had. */
async function inTheWay(holders: HoldStore): Promise<CbtError> {
  const why = 'another process holds or changes it';
  return busyWith(holders, await holders.read()) ?? busy(`${holders.name}: ${why}`, why);
}

/** Where locks do not reach other machines, what their processes wrote counts. */
async function requireNobodyElsewhere(holders: HoldStore): Promise<void> {
  const there = await findElsewhere(holders);
  if (there !== null) throw busyWith(holders, there);
}

async function findElsewhere(holders: HoldStore): Promise<Pick<HoldRecord, 'holder' | 'changes'> | null> {
  const { holder, changes } = await holders.read();
  for (const change of changes)
    if (await mayBeUnseen(holders.file, change.owner)) return { holder: null, changes: [change] };
  return holder !== null && (await mayBeUnseen(holders.file, holder.owner)) ? { holder, changes: [] } : null;
}

function busyWith(
  { name }: HoldStore,
  { holder, changes }: Pick<HoldRecord, 'holder' | 'changes'>,
): CbtError | null {
  if (holder !== null) {
    const { identity, owner, since } = holder;
    const who = `${identity} (process ${owner.pid} on ${owner.host})`;
    return busy(`${name} is held by ${who} since ${since}, until VixDiskLib_EndAccess`, identity);
  }
  const [change] = changes;
  if (change === undefined) return null;
  const why = `${change.task} of process ${change.owner.pid} is changing it`;
  return busy(`${name}: ${why}`, why);
}
