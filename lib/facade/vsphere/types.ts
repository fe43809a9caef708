/** Data objects of the vSphere API, as far as clients of changed-block tracking read them; property names are the API's. */

export interface ManagedObjectReference {
  type: string;
  value: string;
}

export interface VirtualDiskBacking {
  /** `[local] <path>`. */
  fileName: string;
  uuid: string;
  /** The instant of the snapshot whose configuration this is; absent where the disk is not tracked. */
  changeId?: string;
  diskMode: 'persistent';
  thinProvisioned: boolean;
}

export interface VirtualDisk {
  /** Stays the same for the life of the VM's record here. */
  key: number;
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
