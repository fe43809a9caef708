/** Structures of vixDiskLib.h as objects, with the fields' own names. Sizes and offsets are sectors of 512 bytes. */

/** Cylinders, heads and sectors of a track; here always 255 heads and 63 sectors, as for a SCSI disk. */
export interface VixDiskLibGeometry {
  cylinders: number;
  heads: number;
  sectors: number;
}

/** What `VixDiskLib_GetInfo` tells. The geometry is made up from the capacity: QEMU keeps none. */
export interface VixDiskLibInfo {
  biosGeo: VixDiskLibGeometry;
  physGeo: VixDiskLibGeometry;
  /** Sectors. */
  capacity: number;
  adapterType: number;
  /** Layers of the disk's image. */
  numLinks: number;
  parentFileNameHint: string | null;
  uuid: string | null;
  logicalSectorSize: number;
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
  numBlocks: number;
  blocks: VixDiskLibBlock[];
}

/** What `VixDiskLib_Create` makes. */
export interface VixDiskLibCreateParams {
  diskType: number;
  adapterType: number;
  hwVersion: number;
  /** Sectors. */
  capacity: number;
  logicalSectorSize?: number;
  physicalSectorSize?: number;
}

/** Where a connection goes. Fields of a remote server (names, credentials, ports) are taken and not used: nothing leaves this machine. */
export interface VixDiskLibConnectParams {
  /** `moref=vm-1`, or the VM's name: a disk of a running VM; empty or null for files of this machine. */
  vmxSpec?: string | null;
  serverName?: string | null;
  thumbPrint?: string | null;
  credType?: number;
  creds?: unknown;
  port?: number;
  nfcHostPort?: number;
  vimApiVer?: string | null;
  specType?: number;
}

/** False stops the work. */
export type VixDiskLibProgressFunc = (progressData: unknown, percentCompleted: number) => boolean;
/** Called once when an asynchronous read or write has ended; `result` is a `VIX_` code. */
export type VixDiskLibCompletionCB = (cbData: unknown, result: number) => void;
/** Takes one line of a log. */
export type VixDiskLibGenericLogFunc = (message: string) => void;
