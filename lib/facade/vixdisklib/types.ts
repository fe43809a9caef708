/** Structures of vixDiskLib.h as objects, with the fields' own names. Sizes and offsets are sectors of 512 bytes. */
import type { VixError } from './constants/codes.js';
import type {
  VixDiskLibAdapterType,
  VixDiskLibCredType,
  VixDiskLibDiskType,
  VixDiskLibSpecType,
} from './constants/values.js';

/** Cylinders, heads and sectors of a track; here always 255 heads and 63 sectors, as for a SCSI disk. */
export interface VixDiskLibGeometry {
  /** Cylinders. */
  cylinders: number;
  /** Heads of a cylinder. */
  heads: number;
  /** Sectors of a track. */
  sectors: number;
}

/** What `VixDiskLib_GetInfo` tells. The geometry is made up from the capacity: QEMU keeps none. */
export interface VixDiskLibInfo {
  /** A geometry that fits the capacity. */
  biosGeo: VixDiskLibGeometry;
  /** A geometry that fits the capacity. */
  physGeo: VixDiskLibGeometry;
  /** Sectors. */
  capacity: number;
  /** VIXDISKLIB_ADAPTER_SCSI_LSILOGIC. */
  adapterType: VixDiskLibAdapterType;
  /** Layers of the disk's image. */
  numLinks: number;
  /** The image that it stands on; NULL for none. */
  parentFileNameHint: string | null;
  /** UUID that the snapshot's configuration gives the disk; null for files of this machine, which have none. */
  uuid: string | null;
  /** Bytes. */
  logicalSectorSize: number;
  /** Bytes. */
  physicalSectorSize: number;
}

/** A stretch that holds data. */
export interface VixDiskLibBlock {
  /** Sectors. */
  offset: number;
  /** Sectors. */
  length: number;
}

/** Answer of `VixDiskLib_QueryAllocatedBlocks`: ascending stretches that do not touch. */
export interface VixDiskLibBlockList {
  /** How many. */
  numBlocks: number;
  /** The blocks, ascending. */
  blocks: VixDiskLibBlock[];
}

/** What `VixDiskLib_Create` makes. */
export interface VixDiskLibCreateParams {
  /** What kind of image. */
  diskType: VixDiskLibDiskType;
  /** Of no effect. */
  adapterType: VixDiskLibAdapterType;
  /** Of no effect. */
  hwVersion: number;
  /** Sectors. */
  capacity: number | bigint;
  /** Bytes. */
  logicalSectorSize?: number | undefined;
  /** Bytes. */
  physicalSectorSize?: number | undefined;
}

/** Who logs in. Taken and not used: there is no host to log in to. */
export interface VixDiskLibCreds {
  /** Of no effect here. */
  uid?: { userName?: string | null | undefined; password?: string | null | undefined } | undefined;
  /** Of no effect here. */
  sessionId?:
    | {
        cookie?: string | null | undefined;
        userName?: string | null | undefined;
        key?: string | null | undefined;
      }
    | undefined;
  /** VMware's own. */
  ticketId?: unknown;
}

/** Where a connection goes. Fields of a remote server (names, credentials, ports) are taken and not used: nothing leaves this machine. */
export interface VixDiskLibConnectParams {
  /**
   * The VM: `moref=vm-1`, its name or UUID, or the path of its configuration as a host has it, `folder/name.vmx?dcPath=…&dsName=…`, which is
   * the VM of that name. Empty or null for files of this machine.
   */
  vmxSpec?: string | null | undefined;
  /** Of no effect here. */
  serverName?: string | null | undefined;
  /** Of no effect here. */
  thumbPrint?: string | null | undefined;
  /** Not looked at, as in VDDK. */
  privateUse?: number | undefined;
  /** Of no effect here. */
  credType?: VixDiskLibCredType | undefined;
  /** Of no effect here. */
  creds?: VixDiskLibCreds | null | undefined;
  /** Of no effect here. */
  port?: number | undefined;
  /** Of no effect here. */
  nfcHostPort?: number | undefined;
  /** Of no effect here. */
  vimApiVer?: string | null | undefined;
  /** VIXDISKLIB_SPEC_VSTORAGE_OBJECT is VIX_E_NOT_SUPPORTED: there are no disks without a VM or a file. */
  specType?: VixDiskLibSpecType | undefined;
  /** A disk without a VM, which is VIX_E_NOT_SUPPORTED (X8). */
  spec?:
    | {
        vStorageObjSpec?:
          | {
              id?: string | null | undefined;
              datastoreMoRef?: string | null | undefined;
              ssId?: string | null | undefined;
            }
          | undefined;
      }
    | undefined;
}

/** Told how far the work is, 0 to 100. What it answers does not count. */
export type VixDiskLibProgressFunc = (progressData: unknown, percentCompleted: number) => unknown;
/** Called once when an asynchronous read or write has ended. */
export type VixDiskLibCompletionCB = (cbData: unknown, result: VixError) => void;
/** Takes one line of a log. */
export type VixDiskLibGenericLogFunc = (message: string) => void;
