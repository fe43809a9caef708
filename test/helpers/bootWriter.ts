/**
 * The smallest guest there is: a boot sector that writes on, 32 KiB after 32 KiB through the BIOS, from the second MiB of its
 * disk. QEMU then meets a write of a real guest, with the device's policy for errors.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { QemuProcess } from './qemuProcess.js';
import { startQemuSystem } from './qemuSystem.js';
import { qemuImg, qemuIo } from './qemuTools.js';

/**
 *   xor ax,ax; mov ds,ax; mov ss,ax; mov sp,0x7c00
 *   again: mov si,packet; mov ax,0x4300; mov dl,0x80; int 0x13; add dword [si+8],64; jmp again
 *   packet: 16 bytes, 64 sectors from 0x8000, first sector 2048
 */
const CODE = [
  '31c0 8ed8 8ed0 bc007c',
  'be1a7c b80043 b280 cd13 6683440840 ebef',
  '1000 4000 0080 0000 0008000000000000',
];

/** Makes a qcow2 image that boots it. */
export async function makeBootImage(folder: string, image: string, size: string): Promise<void> {
  const sector = Buffer.alloc(512);
  Buffer.from(CODE.join('').replaceAll(' ', ''), 'hex').copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  const raw = join(folder, 'boot-sector');
  await writeFile(raw, sector);
  await qemuImg('create', '-q', '-f', 'qcow2', image, size);
  await qemuIo(['-f', 'qcow2', image], `write -s ${raw} 0 512`);
}

/** QEMU with that disk, as `drive0`; stopped before its first instruction. */
export function startBootWriter(image: string): Promise<QemuProcess> {
  const drive = `if=none,id=drive0,format=qcow2,file=${image},werror=enospc`;
  return startQemuSystem(['-drive', drive, '-device', 'virtio-blk-pci,drive=drive0,id=disk0']);
}
