/** Structures of C in the bytes that it has them in: packed, little-endian, 64-bit pointers, which the library fills in. */
import type { PRL_DISK_PARAMETERS } from '../../../facade/parallels/structs.js';

const DISK_BYTES = 60;
const STORAGE_BYTES = 28;

/** PRL_DISK_PARAMETERS, its one storage, then that one's file name and the disk's own, each with its NUL. */
export function diskParameters(disk: PRL_DISK_PARAMETERS): Buffer {
  const head = Buffer.alloc(DISK_BYTES + STORAGE_BYTES);
  head.writeUInt32LE(disk.m_Heads, 0);
  head.writeUInt32LE(disk.m_Cylinders, 4);
  head.writeUInt32LE(disk.m_Sectors, 8);
  head.writeBigUInt64LE(BigInt(disk.m_SizeInSectors), 12);
  head.writeUInt32LE(disk.m_BlockSize, 20);
  head.writeUInt32LE(disk.m_Parts, 24);
  // 28: the storages.
  guid(disk.m_Uuid).copy(head, 36);
  // 52: the name.
  const [storage] = disk.m_Storages;
  head.writeUInt32LE(storage?.m_Type ?? 0, 60);
  head.writeBigUInt64LE(BigInt(storage?.m_Start ?? 0), 64);
  head.writeBigUInt64LE(BigInt(storage?.m_Size ?? 0), 72);
  // 80: the file name.
  return Buffer.concat([head, Buffer.from(`${storage?.m_FileName ?? ''}\0${disk.m_Name}\0`)]);
}

/** u32, u16, u16 as numbers, the rest as bytes. */
function guid(text: string): Buffer {
  const bytes = Buffer.from(text.replace(/[{}-]/g, ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
