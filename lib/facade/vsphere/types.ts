/** Data objects of the vSphere API, as far as clients of changed-block tracking read them; property names are the API's. */
import type { VirtualDevice } from './devices.js';

/** One line of a VM's extra configuration. */
export interface OptionValue {
  /** Name of the option. */
  key: string;
  /** The value, as text. */
  value: string;
}

/** Configuration of a VM. `changeTrackingEnabled` says what was asked for; a disk tracks when its backing has a `changeId`. */
export interface VirtualMachineConfigInfo {
  /** As the entry has it. */
  name: string;
  /** From the entry, else from QEMU. */
  uuid: string;
  /** The same as `uuid`. */
  instanceUuid: string;
  /** No VM here is one. */
  template: boolean;
  /** Of the virtual hardware, as a host of the API’s version says it. */
  version: string;
  /** Whether changes are tracked, or are to be. */
  changeTrackingEnabled: boolean;
  /** The VM’s own file. */
  files: VirtualMachineFileInfo;
  /** Options, `ctkEnabled` among them. */
  extraConfig: OptionValue[];
  /** What it consists of. */
  hardware: VirtualHardware;
}

/** What a VM consists of. */
export interface VirtualHardware {
  /** As of the VM's last run, where it is off; 1 where nobody knows. */
  numCPU?: number;
  /** Cores are not told apart: 1. */
  numCoresPerSocket?: number;
  /** MiB, in steps of 4; 4 where nobody knows. */
  memoryMB?: number;
  /** Controllers and disks; `instanceof VirtualDisk` tells the disks. */
  device: VirtualDevice[];
}

/** The VM's own file, by a name that FindByDatastorePath finds. */
export interface VirtualMachineFileInfo {
  /** `[local] <name>/<name>.vmx`; there is no such file. */
  vmPathName: string;
}

/** Configuration of a VM at a snapshot. */
export type SnapshotConfigInfo = Pick<VirtualMachineConfigInfo, 'changeTrackingEnabled' | 'hardware'>;

/** The files of a VM. Sizes in bytes: `size` is the file's length, `uniqueSize` what it takes on its file system. */
export interface VirtualMachineFileLayoutEx {
  /** All files, each with its key. */
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
  /** When they were looked at, ISO 8601. */
  timestamp: string;
}

/** What a VM can do: always true here, since a disk that cannot be tracked has no `changeId`. */
export interface VirtualMachineCapability {
  /** Always true. */
  changeTrackingSupported: boolean;
}

/** State of a VM; `poweredOff` also where nobody listens on its socket and its images are configured. */
export interface VirtualMachineRuntimeInfo {
  /** `disconnected`: no way to the VM is known here; whether it runs nobody can tell, and `powerState` says nothing. */
  connectionState: 'connected' | 'disconnected';
  /** Whether it runs. */
  powerState: 'poweredOn' | 'poweredOff' | 'suspended';
  /** There is nothing to consolidate. */
  consolidationNeeded: boolean;
}

/** One area of `DiskChangeInfo`. */
export interface DiskChangeExtent {
  /** Bytes from the start of the disk. */
  start: number;
  /** Bytes. */
  length: number;
}

/** Answer of `QueryChangedDiskAreas`: ascending areas that do not touch, inside `[startOffset, startOffset + length)`. */
export interface DiskChangeInfo {
  /** The offset that was asked for. */
  startOffset: number;
  /** Bytes that the answer covers: ask next from `startOffset + length`, until that is the capacity. */
  length: number;
  /** The areas. */
  changedArea: DiskChangeExtent[];
}

/** What `ReconfigVM_Task` changes: change tracking, also as `ctkEnabled` in `extraConfig`. Anything else is refused. */
export interface VirtualMachineConfigSpec {
  /** Whether changes are tracked, or are to be. */
  changeTrackingEnabled?: boolean | undefined;
  /** Options, `ctkEnabled` among them. */
  extraConfig?: OptionValue[] | undefined;
}

/** How the guest's file systems are frozen for a snapshot. */
export interface VirtualMachineGuestQuiesceSpec {
  /** Minutes, 5 to 240; 15 unless given. */
  timeout?: number | undefined;
}
