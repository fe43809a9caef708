/**
 * Names of a VM's files in the datastore, as clients of a host read and ask for them: `web/web.vmx`, `web/vda.vmdk` for a disk, and
 * `web/vda-flat.vmdk` for its bytes. They name what is served; no path of this machine stands in them.
 */
import { LOCAL } from './shapes.js';

/** A disk as far as its name goes. */
export interface NamedDisk {
  key: number;
  /** Its name in QEMU. */
  label: string;
}

/** No slash, nothing that ends a name or begins an option, and never one that a name of another file could be. */
const plain = (text: string): string => text.replace(/[^\p{L}\p{N}_. -]/gu, '_').replace(/^\.+/, '_');

/** The folder of a VM's files. */
export function storeFolderOf(vm: string): string {
  return plain(vm);
}

/** `<folder>/<disk>` of each disk by its key, without an ending: two that would be called the same have their keys in it. */
export function storeNames(vm: string, disks: readonly NamedDisk[]): ReadonlyMap<number, string> {
  const count = new Map<string, number>();
  for (const { label } of disks) count.set(plain(label), (count.get(plain(label)) ?? 0) + 1);
  const names = disks.map(({ key, label }) => {
    const isOne = count.get(plain(label)) === 1 && !/-flat$|^\d+$/.test(plain(label));
    return [key, `${storeFolderOf(vm)}/${isOne ? plain(label) : `${plain(label)}_${key}`}`] as const;
  });
  return new Map(names);
}

/** The same with the datastore before it, as it stands in a configuration. */
export function storeFileOf(name: string): string {
  return `[${LOCAL}] ${name}.vmdk`;
}
