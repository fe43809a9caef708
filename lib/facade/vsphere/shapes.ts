/** From what is remembered to the API's data objects: disks on their controllers, names of files. */
import { createHash } from 'node:crypto';
import { type DiskRecord, FIRST_KEY } from '../../host/vmRecord.js';
import {
  ParaVirtualSCSIController,
  type VirtualDevice,
  VirtualDisk,
  VirtualDiskFlatVer2BackingInfo,
  VirtualPCIController,
} from './devices.js';
import type { ManagedObjectReference } from './reference.js';

/** The one datastore: the file system of this machine. */
export const LOCAL = 'local';
export const LOCAL_STORE: ManagedObjectReference = { type: 'Datastore', value: 'ds-local' };

export function fileNameOf(path: string): string {
  return `[${LOCAL}] ${path}`;
}

/** Name of the VM's own file in the datastore; there is none of that name. */
export function vmPathNameOf(name: string): string {
  return `[${LOCAL}] ${name}/${name}.vmx`;
}

/** Disks sit on SCSI controllers in the order of their keys; unit 7 of each is the controller's own. */
const PCI_CONTROLLER = 100;
const FIRST_CONTROLLER = 1000;
const OWN_UNIT = 7;
const DISKS_OF_A_BUS = 15;
const busOf = (key: number): number => Math.floor((key - FIRST_KEY) / DISKS_OF_A_BUS);
const unitOf = (key: number): number => {
  const place = (key - FIRST_KEY) % DISKS_OF_A_BUS;
  return place < OWN_UNIT ? place : place + 1;
};

/** Name of a disk's own option in extraConfig. */
export function ctkOptionOf(key: number): string {
  return `scsi${busOf(key)}:${unitOf(key)}.ctkEnabled`;
}

interface Backed {
  fileName: string;
  changeId?: string | undefined;
}

function backingOf(
  { fileName, changeId }: Backed,
  parents: readonly string[],
): VirtualDiskFlatVer2BackingInfo {
  const [below, ...further] = parents;
  return new VirtualDiskFlatVer2BackingInfo({
    fileName,
    datastore: LOCAL_STORE,
    diskMode: 'persistent',
    thinProvisioned: true,
    uuid: uuidOf(fileName),
    ...(changeId !== undefined && { changeId }),
    ...(below !== undefined && { parent: backingOf({ fileName: fileNameOf(below) }, further) }),
  });
}

/** A disk in a configuration, with its changeId where it is tracked. */
export type ShownDisk = Omit<DiskRecord, 'instant'> & { changeId?: string | undefined };

function diskOf({ disk, key, capacityInBytes, parents = [], ...backed }: ShownDisk): VirtualDisk {
  return new VirtualDisk({
    key,
    controllerKey: FIRST_CONTROLLER + busOf(key),
    unitNumber: unitOf(key),
    deviceInfo: { label: disk, summary: `${capacityInBytes / 1024} KB` },
    backing: backingOf(backed, parents),
    capacityInKB: Math.floor(capacityInBytes / 1024),
    capacityInBytes,
    diskObjectId: `1-${key}`,
  });
}

/** Everything in a configuration: the controllers that its disks need, then the disks. */
export function devicesOf(disks: readonly ShownDisk[]): VirtualDevice[] {
  const buses = [...new Set(disks.map(({ key }) => busOf(key)))].sort((a, b) => a - b);
  const controllers = buses.map(
    (bus) =>
      new ParaVirtualSCSIController({
        key: FIRST_CONTROLLER + bus,
        deviceInfo: { label: `SCSI controller ${bus}`, summary: 'paravirtual SCSI' },
        controllerKey: PCI_CONTROLLER,
        unitNumber: 3 + bus,
        busNumber: bus,
        device: disks.map(({ key }) => key).filter((key) => busOf(key) === bus),
        hotAddRemove: true,
        sharedBus: 'noSharing',
        scsiCtlrUnitNumber: OWN_UNIT,
      }),
  );
  const pci = new VirtualPCIController({
    key: PCI_CONTROLLER,
    deviceInfo: { label: 'PCI controller 0', summary: 'PCI controller 0' },
    busNumber: 0,
    device: controllers.map(({ key }) => key),
  });
  return [pci, ...controllers, ...disks.map(diskOf)];
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A UUID that is always the same for the same text. */
export function uuidOf(text: string): string {
  const hex = hashOf(text);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
