/** The devices of a VM: a PCI controller, SCSI controllers, disks. Classes, so that `instanceof` tells which, as in the API. */
import type { ManagedObjectReference } from './reference.js';

/** The properties of a data object without the name of its type. */
export type DataOf<T> = Omit<T, '_type'>;

/** A device; `_type` is the name of its class in the API. */
export class VirtualDevice {
  readonly _type: string = 'VirtualDevice';
  /** Stays the same for the life of the VM's record here. */
  declare readonly key: number;
  declare readonly deviceInfo: { label: string; summary: string };
  /** Key of the controller that it is on. */
  declare readonly controllerKey?: number;
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
  declare readonly busNumber: number;
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
  declare readonly hotAddRemove: boolean;
  declare readonly sharedBus: 'noSharing';
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
  readonly _type: string = 'VirtualDiskFlatVer2BackingInfo';
  /** `[local] <path>`. */
  declare readonly fileName: string;
  declare readonly datastore: ManagedObjectReference;
  declare readonly diskMode: 'persistent';
  declare readonly thinProvisioned: boolean;
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
  declare readonly backing: VirtualDiskFlatVer2BackingInfo;
  declare readonly capacityInKB: number;
  declare readonly capacityInBytes: number;
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
