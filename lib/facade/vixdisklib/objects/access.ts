/** Holding a VM as it is while its disks are read: the service refuses to change it until the holder ends. */

import type { VirtualMachine } from '../../vsphere/index.js';
import { VIX_E_NOT_FOUND, VIX_E_OBJECT_IS_BUSY, VIX_E_VM_NOT_FOUND } from '../constants/codes.js';
import { invalid, VixFailure } from '../errors.js';
import { service } from '../library.js';
import type { VixDiskLibConnectParams } from '../types.js';

export async function prepareAccess(
  params: VixDiskLibConnectParams | null,
  identity: string | null,
): Promise<void> {
  const vm = await vmOf(params);
  if (vm === null) return;
  const holder = requireIdentity(identity);
  if (vm.holder !== null && vm.holder !== holder)
    throw new VixFailure(VIX_E_OBJECT_IS_BUSY, `${vm.name} is held by ${vm.holder}`);
  vm.holder = holder;
}

export async function endAccess(
  params: VixDiskLibConnectParams | null,
  identity: string | null,
): Promise<void> {
  const vm = await vmOf(params);
  if (vm === null) return;
  const holder = requireIdentity(identity);
  if (vm.holder !== holder) throw new VixFailure(VIX_E_NOT_FOUND, `${vm.name} is not held by ${holder}`);
  vm.holder = null;
}

function requireIdentity(identity: string | null): string {
  if (typeof identity !== 'string' || identity === '') throw invalid('identity', 'a name');
  return identity;
}

/** Null for files of this machine: nobody changes those behind the caller's back. */
async function vmOf(params: VixDiskLibConnectParams | null): Promise<VirtualMachine | null> {
  const spec = params?.vmxSpec ?? '';
  if (spec === '') return null;
  const found = await service()?.findVm(spec.replace(/^moref=/, ''));
  if (found === undefined || found === null)
    throw new VixFailure(VIX_E_VM_NOT_FOUND, `there is no VM ${spec}`);
  return found;
}
