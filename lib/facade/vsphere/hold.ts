/**
 * Who holds a VM as it is, and who is changing it, over all processes of this machine: one holder or any number of changes, by a
 * lock of the kernel's that ends with its process. What the record says of them is for messages; what a process that died left
 * there is nobody's.
 */
import type { HeldLock } from '../../linux/kernelLock.js';
import { mayBeUnseen } from '../../linux/lockReach.js';
import { type Machine, thisMachine } from '../../linux/machine.js';
import { VimFault } from './faults.js';
import { tryLock } from './recordLock.js';
import type { VirtualMachine } from './virtualMachine.js';
import type { VmRecord } from './vmRecord.js';

/** A process, for whoever reads the record. */
export type Owner = Machine & { pid: number };

/** What this process holds, by the VM's record. */
const ours = new Map<string, { identity: string; lock: HeldLock }>();

/** Keeps the VM as it is until {@link letGo}; TaskInProgress while another holds or changes it. */
export async function hold(vm: VirtualMachine, identity: string): Promise<void> {
  const file = vm.recordFile;
  if (ours.get(file)?.identity === identity) return;
  const lock = await tryLock(file, 'hold');
  if (lock === null) throw await inTheWay(vm);
  try {
    const owner = await ownOwner();
    await requireNobodyElsewhere(vm);
    await vm.updateRecord((record) => {
      record.holder = { identity, owner };
      record.changes = [];
    });
    ours.set(file, { identity, lock });
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

/** False where this identity does not hold it. What another process that still runs holds stays held. */
export async function letGo(vm: VirtualMachine, identity: string): Promise<boolean> {
  const file = vm.recordFile;
  const own = ours.get(file);
  if (own !== undefined && own.identity !== identity) return false;
  await using lock = own?.lock ?? (await tryLock(file, 'hold'));
  if (lock === null) return false;
  ours.delete(file);
  const { holder } = await vm.record();
  const left = holder?.identity === identity && !(await mayBeUnseen(file, holder.owner));
  if (own === undefined && !left) return false;
  await vm.updateRecord((record) => {
    record.holder = null;
  });
  return true;
}

/** Runs a change of the VM, which nobody may begin to hold meanwhile; TaskInProgress while somebody does. */
export async function changing<T>(vm: VirtualMachine, task: string, work: () => Promise<T>): Promise<T> {
  await using lock = await tryLock(vm.recordFile, 'hold', { mode: 'shared' });
  if (lock === null) throw await inTheWay(vm);
  await requireNobodyElsewhere(vm);
  const change = { task, owner: await ownOwner() };
  await vm.updateRecord((record) => {
    record.holder = null;
    record.changes.push(change);
  });
  const over = () =>
    vm.updateRecord(({ changes }) => {
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
export async function dropDead(vm: VirtualMachine): Promise<number> {
  const { holder, changes } = await vm.record();
  if (holder === null && changes.length === 0) return 0;
  await using lock = await tryLock(vm.recordFile, 'hold');
  // Somebody holds or changes it, and clears up when that is over.
  if (lock === null || (await findElsewhere(vm)) !== null) return 0;
  let freed = 0;
  await vm.updateRecord((record) => {
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
async function inTheWay(vm: VirtualMachine): Promise<VimFault> {
  return faultOf(vm, await vm.record()) ?? busyFault(vm, 'another process holds or changes it');
}

/** Where locks do not reach other machines, what their processes wrote counts. */
async function requireNobodyElsewhere(vm: VirtualMachine): Promise<void> {
  const there = await findElsewhere(vm);
  if (there !== null) throw faultOf(vm, there);
}

async function findElsewhere(vm: VirtualMachine): Promise<Pick<VmRecord, 'holder' | 'changes'> | null> {
  const { holder, changes } = await vm.record();
  for (const change of changes)
    if (await mayBeUnseen(vm.recordFile, change.owner)) return { holder: null, changes: [change] };
  return holder !== null && (await mayBeUnseen(vm.recordFile, holder.owner)) ? { holder, changes: [] } : null;
}

function faultOf(
  vm: VirtualMachine,
  { holder, changes }: Pick<VmRecord, 'holder' | 'changes'>,
): VimFault | null {
  if (holder !== null) {
    const who = `${holder.identity} (process ${holder.owner.pid} on ${holder.owner.host})`;
    return new VimFault('TaskInProgress', `${vm.name} is held by ${who} until VixDiskLib_EndAccess`, {
      task: holder.identity,
    });
  }
  const [change] = changes;
  return change === undefined
    ? null
    : busyFault(vm, `${change.task} of process ${change.owner.pid} is changing it`);
}

function busyFault(vm: VirtualMachine, why: string): VimFault {
  return new VimFault('TaskInProgress', `${vm.name}: ${why}`, { task: why });
}
