/**
 * Who holds a VM as it is, and who is changing it, over all processes of this machine: both stand in the VM's record with the process
 * they belong to, so neither begins while the other lasts, and what a process that died left is nobody's.
 */
import { isAlive, type Owner, ownOwner } from '../../processOwner.js';
import { VimFault } from './faults.js';
import type { VirtualMachine } from './virtualMachine.js';
import type { VmRecord } from './vmRecord.js';

type Owned = { owner: Owner };

/** Keeps the VM as it is until {@link letGo}; TaskInProgress while another holds or changes it. */
export async function hold(vm: VirtualMachine, identity: string): Promise<void> {
  await dropDead(vm);
  const owner = await ownOwner();
  await vm.updateRecord((record) => {
    const { holder, changes } = record;
    if (holder !== null && !(holder.identity === identity && isSame(holder.owner, owner)))
      throw heldFault(vm, holder);
    const [change] = changes;
    if (change !== undefined)
      throw busyFault(vm, `${change.task} of process ${change.owner.pid} is changing it`);
    record.holder = { identity, owner };
  });
}

/** False where this identity does not hold it. What another process that still runs holds stays held. */
export async function letGo(vm: VirtualMachine, identity: string): Promise<boolean> {
  const owner = await ownOwner();
  const { holder } = await vm.record();
  if (holder === null || holder.identity !== identity) return false;
  if (!isSame(holder.owner, owner) && (await isAlive(holder.owner)) !== false) return false;
  let gone = false;
  await vm.updateRecord((record) => {
    gone = record.holder?.identity === identity && isSame(record.holder.owner, holder.owner);
    if (gone) record.holder = null;
  });
  return gone;
}

/** Runs a change of the VM, which nobody may begin to hold meanwhile; TaskInProgress while somebody does. */
export async function changing<T>(vm: VirtualMachine, task: string, work: () => Promise<T>): Promise<T> {
  await dropDead(vm);
  const change = { task, owner: await ownOwner() };
  await vm.updateRecord((record) => {
    if (record.holder !== null) throw heldFault(vm, record.holder);
    record.changes.push(change);
  });
  const over = () =>
    vm.updateRecord(({ changes }) => {
      const at = changes.findIndex((one) => one.task === task && isSame(one.owner, change.owner));
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
export async function dropDead(vm: VirtualMachine): Promise<number> {
  const dead = await deadOwners(await vm.record());
  if (dead.length === 0) return 0;
  let freed = 0;
  const isDead = ({ owner }: Owned): boolean => dead.some((one) => isSame(one, owner));
  await vm.updateRecord((record) => {
    if (record.holder !== null && isDead(record.holder)) {
      record.holder = null;
      freed = 1;
    }
    record.changes = record.changes.filter((change) => !isDead(change));
  });
  return freed;
}

/** An owner of whom it cannot be known (another host) counts as alive. */
async function deadOwners({ holder, changes }: VmRecord): Promise<Owner[]> {
  const dead: Owner[] = [];
  for (const { owner } of [...(holder === null ? [] : [holder]), ...changes])
    if ((await isAlive(owner)) === false) dead.push(owner);
  return dead;
}

function isSame(a: Owner, b: Owner): boolean {
  return a.pid === b.pid && a.startTime === b.startTime && a.bootId === b.bootId && a.host === b.host;
}

function heldFault(vm: VirtualMachine, { identity, owner }: { identity: string; owner: Owner }): VimFault {
  const who = `${identity} (process ${owner.pid} on ${owner.host})`;
  return new VimFault('TaskInProgress', `${vm.name} is held by ${who} until VixDiskLib_EndAccess`, {
    task: identity,
  });
}

function busyFault(vm: VirtualMachine, why: string): VimFault {
  return new VimFault('TaskInProgress', `${vm.name}: ${why}`, { task: why });
}
