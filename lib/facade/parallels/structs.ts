/** Structures of the SDK as objects; offsets and sizes in sectors of 512 bytes where their names say nothing else. */
import { type DiskInfo, SECTOR_BYTES } from './objects/disk.js';
import { MAP_GRANULARITY_BYTES } from './objects/openedDisk.js';

/** One storage of a disk. */
export interface PRL_STORAGE_PARAMETERS {
  /** 100: the library finds out what it is. */
  m_Type: number;
  /** Where the storage begins: 0. */
  m_Start: number;
  /** Bytes, not sectors: so the SDK fills it for NBD. */
  m_Size: number;
  /** What the disk was opened by. */
  m_FileName: string;
}

/** Answer of `PrlDisk_GetDiskInfo`; sizes in sectors of 512 bytes. */
export interface PRL_DISK_PARAMETERS {
  /** Geometry is not kept. */
  m_Heads: number;
  /** Geometry is not kept: 0. */
  m_Cylinders: number;
  /** Geometry is not kept: 0. */
  m_Sectors: number;
  /** Size of the disk in sectors of 512 bytes, rounded up. */
  m_SizeInSectors: number;
  /** Sectors in a granule of a map. */
  m_BlockSize: number;
  /** How many storages: 1. */
  m_Parts: number;
  /** The storages. */
  m_Storages: PRL_STORAGE_PARAMETERS[];
  /** The disk's history, with braces; the null UUID where none is kept. */
  m_Uuid: string;
  /** What the disk was opened by. */
  m_Name: string;
}

const TRY_GUESS = 100;
/** Packed sizes on 64-bit machines. */
const HEAD_BYTES = 60;
const STORAGE_BYTES = 28;
const NULL_UUID = '{00000000-0000-0000-0000-000000000000}';

/** Bytes that C needs for the structure with its storage and texts. */
export function sizeOfParameters({ name }: DiskInfo): number {
  const text = Buffer.byteLength(name) + 1;
  return HEAD_BYTES + STORAGE_BYTES + 2 * text;
}

export function parametersOf({ name, sizeBytes, uuid }: DiskInfo): PRL_DISK_PARAMETERS {
  return {
    m_Heads: 0,
    m_Cylinders: 0,
    m_Sectors: 0,
    // Programs take this as the disk's size: a last piece of a sector counts as one.
    m_SizeInSectors: Math.ceil(sizeBytes / SECTOR_BYTES),
    m_BlockSize: MAP_GRANULARITY_BYTES / SECTOR_BYTES,
    m_Parts: 1,
    m_Storages: [{ m_Type: TRY_GUESS, m_Start: 0, m_Size: sizeBytes, m_FileName: name }],
    m_Uuid: uuid === null ? NULL_UUID : `{${uuid}}`,
    m_Name: name,
  };
}
