/** Which way an address stands for: the one place that knows what kinds of addresses there are. */
import { LIBVIRT_PREFIX } from '../backend/libvirt/domainName.js';
import type { WayToQemu } from '../backend/qemu/wayToQemu.js';
import { refuseUnserved } from './diskName.js';

/** By what a VM is reached: the path of its QMP socket, or `libvirt:<uri>#<domain>`. An address of a kind that this version does not know is never taken for a path. */
export async function wayTo(address: string): Promise<WayToQemu> {
  refuseUnserved('the address', address);
  if (address.startsWith(LIBVIRT_PREFIX)) {
    const { DomainWay } = await import('../backend/libvirt/domainWay.js');
    return new DomainWay(address);
  }
  const { SocketWay } = await import('../backend/qemu/socketHost.js');
  return new SocketWay(address);
}

/** The address as a name of a VM, where names of other things may stand too. */
export function nameOfVm(address: string): string {
  return address.startsWith(LIBVIRT_PREFIX) ? address : `qmp:${address}`;
}
