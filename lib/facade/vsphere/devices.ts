/** The devices of a VM: a PCI controller, SCSI controllers, disks. Classes, so that `instanceof` tells which, as in the API. */
import type { ManagedObjectReference } from './reference.js';

/** The properties of a data object without the name of its type. */
export type DataOf<T> = Omit<T, '_type'>;

/** A device; `_type` is the name of its class in the API. */
export class VirtualDevice {
  /** Name of its class in the API. */
  readonly _type: string = 'VirtualDevice';
  /** Stays the same for the life of the VM's record here. */
  declare readonly key: number;
  /** What it is called, and a line about it. */
  declare readonly deviceInfo: { label: string; summary: string };
  /** Key of the controller that it is on. */
  declare readonly controllerKey?: number;
  /** Place on its controller. */
  declare readonly unitNumber?: number;

  /**
   * Its properties.
   * @param properties The properties of the API’s data object.
   */
  constructor(properties: DataOf<VirtualDevice>) {
    Object.assign(this, properties);
  }
}

/** A controller; `device` has the keys of what is on it. */
export class VirtualController extends VirtualDevice {
  override readonly _type: string = 'VirtualController';
  /** Number among the controllers of its kind, from 0. */
  declare readonly busNumber: number;
  /** Keys of what is on it. */
  declare readonly device: readonly number[];

  /**
   * Its properties.
   * @param properties The properties of the API’s data object.
   */
  constructor(properties: DataOf<VirtualController>) {
    super(properties);
  }
}

/** What the SCSI controllers are on. */
export class VirtualPCIController extends VirtualController {
  override readonly _type: string = 'VirtualPCIController';
}

/** A SCSI controller; its own unit number takes no disk. */
export class VirtualSCSIController extends VirtualController {
  override readonly _type: string = 'VirtualSCSIController';
  /** Whether disks may come and go while the VM runs. */
  declare readonly hotAddRemove: boolean;
  /** No other VM is on it. */
  declare readonly sharedBus: 'noSharing';
  /** Its own place, which takes no disk. */
  declare readonly scsiCtlrUnitNumber: number;

  /**
   * Its properties.
   * @param properties The properties of the API’s data object.
   */
  constructor(properties: DataOf<VirtualSCSIController>) {
    super(properties);
  }
}

/** A paravirtual SCSI controller: what every disk is shown on, whatever it is attached to in QEMU. */
export class ParaVirtualSCSIController extends VirtualSCSIController {
  override readonly _type: string = 'ParaVirtualSCSIController';
}

/** What a disk is stored in; `changeId` as of when the properties were read. */
export class VirtualDiskFlatVer2BackingInfo {
  /** Name of its class in the API. */
  readonly _type: string = 'VirtualDiskFlatVer2BackingInfo';
  /** `[local] <path>`. */
  declare readonly fileName: string;
  /** Where the file is. */
  declare readonly datastore: ManagedObjectReference;
  /** Writes stay. */
  declare readonly diskMode: 'persistent';
  /** Images take what is written. */
  declare readonly thinProvisioned: boolean;
  /** A UUID that goes with the path of the file. */
  declare readonly uuid: string;
  /** The instant of the snapshot whose configuration this is; absent where the disk is not tracked. */
  declare readonly changeId?: string;
  /** What the disk's image stands on; absent where it stands alone. */
  declare readonly parent?: VirtualDiskFlatVer2BackingInfo;

  /**
   * Its properties.
   * @param properties The properties of the API’s data object.
   */
  constructor(properties: DataOf<VirtualDiskFlatVer2BackingInfo>) {
    Object.assign(this, properties);
  }
}

/** A disk of the VM, or of a snapshot's configuration. */
export class VirtualDisk extends VirtualDevice {
  override readonly _type: string = 'VirtualDisk';
  /** What it is stored in. */
  declare readonly backing: VirtualDiskFlatVer2BackingInfo;
  /** Size of the disk in KiB, rounded down. */
  declare readonly capacityInKB: number;
  /** Size of the disk in bytes. */
  declare readonly capacityInBytes: number;
  /** A name that goes with its key. */
  declare readonly diskObjectId: string;

  /**
   * Its properties.
   * @param properties The properties of the API’s data object.
   */
  constructor(properties: DataOf<VirtualDisk>) {
    super(properties);
  }
}

/** The disks among devices. */
export function disksAmong(devices: readonly VirtualDevice[]): VirtualDisk[] {
  return devices.filter((device) => device instanceof VirtualDisk);
}
