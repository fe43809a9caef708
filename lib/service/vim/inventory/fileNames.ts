/** A VM's configuration as it goes over the wire: files by their names in the datastore, and no path of this machine. */
import { VirtualDisk } from '../../../facade/vsphere/index.js';
import { storeFileOf, storeNames } from '../../../facade/vsphere/storeNames.js';
import type { VirtualMachineFileLayoutEx } from '../../../facade/vsphere/types.js';

type Device = { readonly _type: string; readonly key: number };

/** Names of the disks among devices, by their keys. */
export function namesOf(vm: string, devices: readonly Device[]): ReadonlyMap<number, string> {
  const disks = devices.filter((device) => device instanceof VirtualDisk);
  return storeNames(
    vm,
    disks.map(({ key, deviceInfo }) => ({ key, label: deviceInfo.label })),
  );
}

/** Devices with the names that clients are to use; what lies below an image is QEMU's own affair. */
export function withStoreNames(vm: string, devices: readonly Device[]): Device[] {
  const names = namesOf(vm, devices);
  return devices.map((device) => {
    const name = names.get(device.key);
    if (!(device instanceof VirtualDisk) || name === undefined) return device;
    const { parent: _, ...backing } = device.backing;
    return { ...device, _type: device._type, backing: { ...backing, fileName: storeFileOf(name) } };
  });
}

/** The files of a VM by the same names: those below a disk's image are numbered from the top. */
export function layoutWithStoreNames(
  layout: VirtualMachineFileLayoutEx,
  names: ReadonlyMap<number, string>,
): VirtualMachineFileLayoutEx {
  const shown = new Map<number, string>();
  for (const { key, chain } of layout.disk) {
    const name = names.get(key) ?? String(key);
    for (const [at, { fileKey }] of [...chain].reverse().entries())
      for (const file of fileKey) shown.set(file, storeFileOf(at === 0 ? name : `${name}-below${at}`));
  }
  return {
    ...layout,
    file: layout.file.map((file) => ({ ...file, name: shown.get(file.key) ?? file.name })),
  };
}
