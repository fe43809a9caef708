/** Holding a VM as it is while its disks are read: services of every process refuse to change it until the holder ends. */
import { cleanUpVm } from '../../vsphere/cleanUp.js';
import { TaskInProgress, type VirtualMachine } from '../../vsphere/index.js';
import { VIX_E_NOT_FOUND, VIX_E_OBJECT_IS_BUSY, VIX_E_VM_NOT_FOUND } from '../constants/codes.js';
import { invalid, VixFailure } from '../errors.js';
import { library } from '../library.js';
import type { VixDiskLibConnectParams } from '../types.js';
import { vmSpecOf } from './vmSpec.js';

export async function prepareAccess(
  params: VixDiskLibConnectParams | null | undefined,
  identity: string | null | undefined,
): Promise<void> {
  const vm = await vmOf(params);
  if (vm === null) return;
  await vm.context.hold(requireIdentity(identity), library().holds).catch((cause: unknown) => {
    if (!(cause instanceof TaskInProgress)) throw cause;
    throw new VixFailure(VIX_E_OBJECT_IS_BUSY, cause.message, { cause });
  });
}

export async function endAccess(
  params: VixDiskLibConnectParams | null | undefined,
  identity: string | null | undefined,
): Promise<void> {
  const vm = await vmOf(params);
  if (vm === null) return;
  const holder = requireIdentity(identity);
  if (!(await vm.context.letGo(holder, library().holds)))
    throw new VixFailure(VIX_E_NOT_FOUND, `${vm.name} is not held by ${holder} of this client`);
}

/** Frees what processes that died held, and ends the snapshots that they were taking. */
export async function cleanUp(
  params: VixDiskLibConnectParams | null | undefined,
): Promise<{ cleaned: number; remaining: number }> {
  const vm = await vmOf(params);
  return vm === null ? { cleaned: 0, remaining: 0 } : cleanUpVm(vm.context);
}

function requireIdentity(identity: string | null | undefined): string {
  if (typeof identity !== 'string' || identity === '' || identity.length > MAX_IDENTITY)
    throw invalid('identity', `a name of 1 to ${MAX_IDENTITY} characters`);
  return identity;
}

const MAX_IDENTITY = 256;

/** Null for files of this machine: nobody changes those behind the caller's back. */
async function vmOf(params: VixDiskLibConnectParams | null | undefined): Promise<VirtualMachine | null> {
  const spec = vmSpecOf(params);
  if (spec === '') return null;
  const found = await library().findVm(spec);
  if (found === null) throw new VixFailure(VIX_E_VM_NOT_FOUND, `there is no VM ${spec}`);
  return found;
}
