/**
 * The files of the datastore that there are: a table made of the VMs that the user may see. What a client names is looked up in it, and
 * never in a file system.
 */
import { VirtualDisk, type VirtualMachine } from '../../../facade/vsphere/index.js';
import { LOCAL } from '../../../facade/vsphere/shapes.js';
import { storeFolderOf } from '../../../facade/vsphere/storeNames.js';
import { namesOf } from '../inventory/fileNames.js';
import { PLACES } from '../inventory/places.js';
import { descriptorOf, vmxOf } from './vmx.js';

/** A file that is served. */
export type FolderFile =
  | { kind: 'text'; text: string }
  | { kind: 'list'; names: readonly string[] }
  | { kind: 'disk'; vm: VirtualMachine; disk: string; sizeBytes: number };

/** Where the files come from. */
export interface FolderSource {
  vms(): Promise<readonly VirtualMachine[]>;
}

/** Decoded once; clients escape more than they have to. Null for what is no path. */
function stepsOf(path: string): string[] | null {
  try {
    const steps = decodeURIComponent(path.replace(/^\/folder\/?/, ''))
      .split('/')
      .filter((step) => step !== '');
    return steps.some((step) => step === '.' || step === '..' || step.includes('\0')) ? null : steps;
  } catch {
    return null;
  }
}

/** The file of an address; null where there is none. */
export async function findFile(
  path: string,
  query: URLSearchParams,
  source: FolderSource,
): Promise<FolderFile | null> {
  const dc = query.get('dcPath')?.replace(/^\//, '') ?? PLACES.datacenter.value;
  const store = query.get('dsName');
  const steps = stepsOf(path);
  if (steps === null || dc !== PLACES.datacenter.value || steps.length > 2) return null;
  if (store === null)
    return steps.length === 0 ? { kind: 'list', names: [`?dcPath=${dc}&dsName=${LOCAL}`] } : null;
  if (store !== LOCAL) return null;
  const vms = await source.vms();
  const [folder, file] = steps;
  if (folder === undefined) return { kind: 'list', names: vms.map(({ name }) => `${storeFolderOf(name)}/`) };
  // Two VMs may be called the same there: each file is looked for in both.
  for (const vm of vms.filter(({ name }) => storeFolderOf(name) === folder)) {
    const found = await inFolder(vm, file);
    if (found !== null) return found;
  }
  return null;
}

async function inFolder(vm: VirtualMachine, file: string | undefined): Promise<FolderFile | null> {
  const folder = storeFolderOf(vm.name);
  const { device } = (await vm.refresh()).config.hardware;
  const names = namesOf(vm.name, device);
  const bare = (key: number): string => (names.get(key) ?? '').slice(folder.length + 1);
  const vmx = vm.config.files.vmPathName.replace(/^.*\//, '');
  const disks = device.filter((one) => one instanceof VirtualDisk);
  if (file === undefined)
    return {
      kind: 'list',
      names: [vmx, ...disks.flatMap(({ key }) => [`${bare(key)}.vmdk`, `${bare(key)}-flat.vmdk`])],
    };
  if (file === vmx) return { kind: 'text', text: vmxOf(vm, names) };
  for (const { key, capacityInBytes: sizeBytes, deviceInfo, backing } of disks) {
    if (file === `${bare(key)}.vmdk`)
      return { kind: 'text', text: descriptorOf(`${bare(key)}-flat.vmdk`, sizeBytes, backing.uuid) };
    if (file === `${bare(key)}-flat.vmdk`) return { kind: 'disk', vm, disk: deviceInfo.label, sizeBytes };
  }
  return null;
}
