/** Data objects of the vSphere API, as far as clients of changed-block tracking read them; property names are the API's. */

export interface ManagedObjectReference {
  type: string;
  value: string;
}

/** A lower layer of a disk. */
export interface VirtualDiskBackingParent {
  fileName: string;
  uuid: string;
  parent?: VirtualDiskBackingParent;
}

export interface VirtualDiskBacking {
  /** `[local] <path>`. */
  fileName: string;
  uuid: string;
  /** What the disk's image stands on; absent where it stands alone. */
  parent?: VirtualDiskBackingParent;
  /** The instant of the snapshot whose configuration this is; absent where the disk is not tracked. */
  changeId?: string;
  diskMode: 'persistent';
  thinProvisioned: boolean;
}

export interface VirtualDisk {
  /** Stays the same for the life of the VM's record here. */
  key: number;
  controllerKey: number;
  unitNumber: number;
  deviceInfo: { label: string; summary: string };
  backing: VirtualDiskBacking;
  capacityInKB: number;
  capacityInBytes: number;
  diskObjectId: string;
}

export interface OptionValue {
  key: string;
  value: string;
}

export interface VirtualMachineConfigInfo {
  name: string;
  uuid: string;
  instanceUuid: string;
  template: boolean;
  version: string;
  changeTrackingEnabled: boolean;
  extraConfig: OptionValue[];
  hardware: { device: VirtualDisk[] };
}

/** The files of a VM. Sizes in bytes: `size` is the file's length, `uniqueSize` what it takes on its file system. */
export interface VirtualMachineFileLayoutEx {
  file: {
    key: number;
    name: string;
    type: 'diskExtent';
    size: number;
    uniqueSize: number;
    /** False where it is no file of this machine: then its sizes are 0. */
    accessible: boolean;
  }[];
  /** Files of each disk by the disk's key, the base first. */
  disk: { key: number; chain: { fileKey: number[] }[] }[];
  timestamp: string;
}

export interface VirtualMachineCapability {
  changeTrackingSupported: boolean;
}

export interface VirtualMachineRuntimeInfo {
  powerState: 'poweredOn' | 'poweredOff' | 'suspended';
  consolidationNeeded: boolean;
}

export interface VirtualMachineSnapshotTree {
  snapshot: ManagedObjectReference;
  vm: ManagedObjectReference;
  name: string;
  description: string;
  id: number;
  /** ISO 8601. */
  createTime: string;
  /** Without memory a snapshot holds a VM that is off. */
  state: 'poweredOff';
  quiesced: boolean;
  childSnapshotList: VirtualMachineSnapshotTree[];
}

export interface VirtualMachineSnapshotInfo {
  currentSnapshot: ManagedObjectReference;
  rootSnapshotList: VirtualMachineSnapshotTree[];
}

export interface DiskChangeExtent {
  /** Bytes from the start of the disk. */
  start: number;
  /** Bytes. */
  length: number;
}

export interface DiskChangeInfo {
  /** The offset that was asked for. */
  startOffset: number;
  /** Bytes that the answer covers: ask next from `startOffset + length`, until that is the capacity. */
  length: number;
  changedArea: DiskChangeExtent[];
}

export interface VirtualMachineConfigSpec {
  changeTrackingEnabled?: boolean;
  extraConfig?: OptionValue[];
}

export interface VirtualMachineGuestQuiesceSpec {
  /** Minutes, 5 to 240; 15 unless given. */
  timeout?: number;
}
