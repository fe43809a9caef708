/**
 * A LUKS version 1 header with one passphrase, from the LUKS On-Disk Format Specification 1.2.3: AES-128 in XTS mode, as QEMU
 * reads it. `qemu-img create` measures CPU time to choose the work factor and fails on machines that count it coarsely.
 */
import { createCipheriv, createHash, pbkdf2Sync, randomBytes } from 'node:crypto';

const SECTOR = 512;
const KEY_BYTES = 32;
const STRIPES = 4000;
const ITERATIONS = 1000;
const SLOTS = 8;
const SLOT_ACTIVE = 0x00ac71f3;
const SLOT_DISABLED = 0x0000dead;
const FIRST_SLOT_SECTOR = 8;
const SLOT_SECTORS = Math.ceil((KEY_BYTES * STRIPES) / SECTOR / 8) * 8;

export function luksHeader(passphrase: string): Buffer {
  const payloadSector = FIRST_SLOT_SECTOR + SLOTS * SLOT_SECTORS;
  const bytes = Buffer.alloc(payloadSector * SECTOR);
  const masterKey = randomBytes(KEY_BYTES);
  const digestSalt = randomBytes(32);
  bytes.write('LUKS\xba\xbe', 0, 'latin1');
  bytes.writeUInt16BE(1, 6);
  bytes.write('aes', 8);
  bytes.write('xts-plain64', 40);
  bytes.write('sha256', 72);
  bytes.writeUInt32BE(payloadSector, 104);
  bytes.writeUInt32BE(KEY_BYTES, 108);
  pbkdf2Sync(masterKey, digestSalt, ITERATIONS, 20, 'sha256').copy(bytes, 112);
  digestSalt.copy(bytes, 132);
  bytes.writeUInt32BE(ITERATIONS, 164);
  bytes.write('11111111-2222-4333-8444-555555555555', 168);
  for (let slot = 0; slot < SLOTS; slot++) {
    const at = 208 + slot * 48;
    bytes.writeUInt32BE(slot === 0 ? SLOT_ACTIVE : SLOT_DISABLED, at);
    bytes.writeUInt32BE(FIRST_SLOT_SECTOR + slot * SLOT_SECTORS, at + 40);
    bytes.writeUInt32BE(STRIPES, at + 44);
  }
  const salt = randomBytes(32);
  bytes.writeUInt32BE(ITERATIONS, 212);
  salt.copy(bytes, 216);
  const slotKey = pbkdf2Sync(passphrase, salt, ITERATIONS, KEY_BYTES, 'sha256');
  encryptSectors(slotKey, splitKey(masterKey)).copy(bytes, FIRST_SLOT_SECTOR * SECTOR);
  return bytes;
}

/** XTS with the sector number as tweak, counted from the start of the key material. */
function encryptSectors(key: Buffer, plain: Buffer): Buffer {
  const sectors: Buffer[] = [];
  for (let at = 0; at < plain.length; at += SECTOR) {
    const tweak = Buffer.alloc(16);
    tweak.writeUInt32LE(at / SECTOR, 0);
    const cipher = createCipheriv('aes-128-xts', key, tweak);
    sectors.push(cipher.update(plain.subarray(at, at + SECTOR)), cipher.final());
  }
  return Buffer.concat(sectors);
}

/** The anti-forensic splitter: all stripes are needed to get the key back. */
function splitKey(key: Buffer): Buffer {
  const split = randomBytes(KEY_BYTES * STRIPES);
  let sum: Buffer = Buffer.alloc(KEY_BYTES);
  for (let i = 0; i < STRIPES - 1; i++) {
    sum = diffuse(xor(sum, split.subarray(i * KEY_BYTES, (i + 1) * KEY_BYTES)));
  }
  xor(sum, key).copy(split, (STRIPES - 1) * KEY_BYTES);
  return split;
}

/** One SHA-256 per 32 bytes, each with its number in front; the key is one of them long. */
function diffuse(block: Buffer): Buffer {
  return createHash('sha256').update(Buffer.alloc(4)).update(block).digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!));
}
