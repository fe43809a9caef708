/** Enumerations, flags and limits of vixDiskLib.h. */

/** Major version of the VixDiskLib that is spoken. */
export const VIXDISKLIB_VERSION_MAJOR = 8;
/** Minor version of the VixDiskLib that is spoken. */
export const VIXDISKLIB_VERSION_MINOR = 0;

/** Bytes of the sector that offsets, lengths and capacities count. */
export const VIXDISKLIB_SECTOR_SIZE = 512;
/** Smallest chunk of QueryAllocatedBlocks, sectors. */
export const VIXDISKLIB_MIN_CHUNK_SIZE = 128;
/** Most chunks in one QueryAllocatedBlocks. */
export const VIXDISKLIB_MAX_CHUNK_NUMBER = 524288;

/** Of no effect here. */
export const VIXDISKLIB_FLAG_OPEN_UNBUFFERED = 1;
/** Open the image alone: what only the layers below hold reads as zeros and counts as not allocated. */
export const VIXDISKLIB_FLAG_OPEN_SINGLE_LINK = 2;
/** Open for reading; without it an image opens for reading and writing unless its connection is read-only. */
export const VIXDISKLIB_FLAG_OPEN_READ_ONLY = 4;
/** Of no effect here: data does not cross a network. */
export const VIXDISKLIB_FLAG_OPEN_COMPRESSION_ZLIB = 16;
/** Of no effect here: data does not cross a network. */
export const VIXDISKLIB_FLAG_OPEN_COMPRESSION_FASTLZ = 32;
/** Of no effect here: data does not cross a network. */
export const VIXDISKLIB_FLAG_OPEN_COMPRESSION_SKIPZ = 64;

/** The bits of the three ways of compression. */
export const VIXDISKLIB_FLAG_OPEN_COMPRESSION_MASK = 0x3f0;

/** `credType` of connection parameters; of no effect here. */
export const VIXDISKLIB_CRED_UID = 1;
/** `credType` of connection parameters; of no effect here. */
export const VIXDISKLIB_CRED_SESSIONID = 2;
/** `credType` of connection parameters; of no effect here. */
export const VIXDISKLIB_CRED_TICKETID = 3;
/** `credType` of connection parameters; of no effect here. */
export const VIXDISKLIB_CRED_SSPI = 4;
/** `credType` of connection parameters; of no effect here. */
export const VIXDISKLIB_CRED_UNKNOWN = 256;

/** `specType`: a VM is named by `vmxSpec`, or no VM is. */
export const VIXDISKLIB_SPEC_VMX = 0;
/** `specType` of a disk without a VM, which is VIX_E_NOT_SUPPORTED. */
export const VIXDISKLIB_SPEC_VSTORAGE_OBJECT = 1;
/** `specType`; of no effect here. */
export const VIXDISKLIB_SPEC_UNKNOWN = 2;

/** A VMDK that grows, in one file. A VMDK that VixDiskLib_Clone makes has this type or STREAM_OPTIMIZED. */
export const VIXDISKLIB_DISK_MONOLITHIC_SPARSE = 1;
/** A VMDK whose space is one more file, `-flat.vmdk`. */
export const VIXDISKLIB_DISK_MONOLITHIC_FLAT = 2;
/** A VMDK that grows, in files of 2 GB. */
export const VIXDISKLIB_DISK_SPLIT_SPARSE = 3;
/** A VMDK in files of 2 GB whose space is taken. */
export const VIXDISKLIB_DISK_SPLIT_FLAT = 4;
/** What ESX calls a thick disk; a VMDK of it cannot be made here: VIX_E_NOT_SUPPORTED. */
export const VIXDISKLIB_DISK_VMFS_FLAT = 5;
/** A compressed VMDK in one file. */
export const VIXDISKLIB_DISK_STREAM_OPTIMIZED = 6;
/** What ESX calls a thin disk; a VMDK of it cannot be made here: VIX_E_NOT_SUPPORTED. */
export const VIXDISKLIB_DISK_VMFS_THIN = 7;
/** Redo log of ESX; a VMDK of it cannot be made here: VIX_E_NOT_SUPPORTED. */
export const VIXDISKLIB_DISK_VMFS_SPARSE = 8;
/** A VMDK of it cannot be made: VIX_E_NOT_SUPPORTED. Images of other formats have no disk type, and any is taken. */
export const VIXDISKLIB_DISK_UNKNOWN = 256;

/** `adapterType`; in creation parameters it is of no effect here. */
export const VIXDISKLIB_ADAPTER_IDE = 1;
/** `adapterType`; in creation parameters it is of no effect here. */
export const VIXDISKLIB_ADAPTER_SCSI_BUSLOGIC = 2;
/** `adapterType`; VixDiskLib_GetInfo says it of every disk. In creation parameters it is of no effect here. */
export const VIXDISKLIB_ADAPTER_SCSI_LSILOGIC = 3;
/** `adapterType`; in creation parameters it is of no effect here. */
export const VIXDISKLIB_ADAPTER_UNKNOWN = 256;

/** `hwVersion` of creation parameters; of no effect here, as are all the others. */
export const VIXDISKLIB_HWVERSION_WORKSTATION_4 = 3;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_WORKSTATION_5 = 4;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX30 = 4;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_WORKSTATION_6 = 6;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX4X = 7;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX50 = 8;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX51 = 9;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX55 = 10;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX60 = 11;
/** `hwVersion`; of no effect here. */
export const VIXDISKLIB_HWVERSION_ESX65 = 13;
/** `hwVersion`: the newest of them. */
export const VIXDISKLIB_HWVERSION_CURRENT = VIXDISKLIB_HWVERSION_ESX65;

/** What kind of image: `VIXDISKLIB_DISK_…`. */
export type VixDiskLibDiskType =
  | typeof VIXDISKLIB_DISK_MONOLITHIC_SPARSE
  | typeof VIXDISKLIB_DISK_MONOLITHIC_FLAT
  | typeof VIXDISKLIB_DISK_SPLIT_SPARSE
  | typeof VIXDISKLIB_DISK_SPLIT_FLAT
  | typeof VIXDISKLIB_DISK_VMFS_FLAT
  | typeof VIXDISKLIB_DISK_STREAM_OPTIMIZED
  | typeof VIXDISKLIB_DISK_VMFS_THIN
  | typeof VIXDISKLIB_DISK_VMFS_SPARSE
  | typeof VIXDISKLIB_DISK_UNKNOWN;
/** What a disk is attached to: `VIXDISKLIB_ADAPTER_…`. */
export type VixDiskLibAdapterType =
  | typeof VIXDISKLIB_ADAPTER_IDE
  | typeof VIXDISKLIB_ADAPTER_SCSI_BUSLOGIC
  | typeof VIXDISKLIB_ADAPTER_SCSI_LSILOGIC
  | typeof VIXDISKLIB_ADAPTER_UNKNOWN;
/** Which member of the credentials counts: `VIXDISKLIB_CRED_…`. */
export type VixDiskLibCredType =
  | typeof VIXDISKLIB_CRED_UID
  | typeof VIXDISKLIB_CRED_SESSIONID
  | typeof VIXDISKLIB_CRED_TICKETID
  | typeof VIXDISKLIB_CRED_SSPI
  | typeof VIXDISKLIB_CRED_UNKNOWN;
/** What connection parameters name: `VIXDISKLIB_SPEC_…`. */
export type VixDiskLibSpecType =
  | typeof VIXDISKLIB_SPEC_VMX
  | typeof VIXDISKLIB_SPEC_VSTORAGE_OBJECT
  | typeof VIXDISKLIB_SPEC_UNKNOWN;
