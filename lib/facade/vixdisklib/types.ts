/** Structures of vixDiskLib.h as objects, with the fields' own names. Sizes and offsets are sectors of 512 bytes. */

export interface VixDiskLibGeometry {
  cylinders: number;
  heads: number;
  sectors: number;
}

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

export interface VixDiskLibBlock {
  /** Sectors. */
  offset: number;
  /** Sectors. */
  length: number;
}

export interface VixDiskLibBlockList {
  numBlocks: number;
  blocks: VixDiskLibBlock[];
}

export interface VixDiskLibCreateParams {
  diskType: number;
  adapterType: number;
  hwVersion: number;
  /** Sectors. */
  capacity: number;
  logicalSectorSize?: number;
  physicalSectorSize?: number;
}

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
export type VixDiskLibCompletionCB = (cbData: unknown, result: number) => void;
export type VixDiskLibGenericLogFunc = (message: string) => void;
