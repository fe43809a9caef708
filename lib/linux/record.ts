/**
 * A small text in a file that can be replaced without any new space on the disk, and is whole after a crash at any moment:
 *
 *   | head · text · blanks | head · text · blanks |      two halves of one size; each head has a number, the half's size and a sum of all
 *
 * A replacement goes into the half that has the older text, or a broken one, and counts once it is whole: a reader takes
 * the newest half whose sum is right. The file is never renamed, so whoever has it locked keeps its lock.
 */
import { createHash } from 'node:crypto';
import { constants, type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { isMissing, onFile } from './fileFault.js';
import { openRegularFile } from './regularFile.js';
import { syncFolder } from './stable.js';

const LEAST_HALF_BYTES = 16 << 10;
const MAX_FILE_BYTES = 8 << 20;
const HEAD = /^record (\d{1,15}) (\d{1,9}) (\d{1,9}) ([0-9a-f]{64})\n/;
/** The longest head. */
const HEAD_BYTES = 120;

interface Half {
  sequence: number;
  text: string;
}

/** Writes the record; in place where there is one already. On stable storage when it returns. */
export async function writeRecord(file: string, text: string): Promise<void> {
  await onFile(file, 'writing', () => write(file, text));
}

async function write(file: string, text: string): Promise<void> {
  const handle = await openToWrite(file);
  try {
    const halves = await readHalves(handle);
    const known = halves.filter((half) => half !== null);
    const sequence = Math.max(0, ...known.map((half) => half.sequence)) + 1;
    if (known.length === 0) {
      await layOut(handle, text);
      await syncFolder(path.dirname(file));
      return;
    }
    const halfBytes = (await handle.stat()).size / 2;
    const [first, second] = halves;
    const into = first == null ? 0 : second == null || second.sequence < first.sequence ? 1 : 0;
    await writeAll(handle, format(sequence, text, halfBytes), into * halfBytes);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** The text as it was written last. Null where there is no such file, or nothing whole in it. */
export async function readRecord(file: string): Promise<string | null> {
  const handle = await openRegularFile(file).catch(() => null);
  if (handle === null) return null;
  try {
    const halves = (await readHalves(handle)).filter((half) => half !== null);
    const newest = halves.reduce<Half | null>(
      (a, b) => (a === null || b.sequence > a.sequence ? b : a),
      null,
    );
    return newest?.text ?? null;
  } finally {
    await handle.close();
  }
}

/** Whether nothing was ever written there whole. What cannot be looked at may hold a record. */
export async function isUnwritten(file: string): Promise<boolean> {
  try {
    const handle = await openRegularFile(file);
    try {
      return (await readHalves(handle)).every((half) => half === null);
    } finally {
      await handle.close();
    }
  } catch (error) {
    return isMissing(error);
  }
}

/** A regular file and nothing else, made where there is none. */
async function openToWrite(file: string): Promise<FileHandle> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags, 0o600);
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${file} is no regular file`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readHalves(handle: FileHandle): Promise<(Half | null)[]> {
  const { size } = await handle.stat();
  if (size > MAX_FILE_BYTES) return [null, null];
  const bytes = Buffer.alloc(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await handle.read(bytes, done, size - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return [parse(bytes.subarray(0, size / 2)), parse(bytes.subarray(size / 2))];
}

function parse(half: Buffer): Half | null {
  const [head, number, size, length, sum] = HEAD.exec(half.subarray(0, HEAD_BYTES).toString('latin1')) ?? [];
  if (head === undefined || Number(size) !== half.length) return null;
  const sequence = Number(number);
  const text = half.subarray(head.length, head.length + Number(length));
  if (text.length !== Number(length) || sumOf(sequence, half.length, text) !== sum) return null;
  return { sequence, text: text.toString('utf8') };
}

/** Both halves at once, with room for a text twice as long. */
async function layOut(handle: FileHandle, text: string): Promise<void> {
  const halfBytes = Math.max(LEAST_HALF_BYTES, Math.ceil((2 * Buffer.byteLength(text)) / 4096) * 4096);
  await handle.truncate(0);
  await writeAll(handle, Buffer.concat([format(1, text, halfBytes), format(0, text, halfBytes)]), 0);
  await handle.sync();
}

function format(sequence: number, text: string, halfBytes: number): Buffer {
  const body = Buffer.from(text);
  const head = `record ${sequence} ${halfBytes} ${body.length} ${sumOf(sequence, halfBytes, body)}\n`;
  if (head.length + body.length > halfBytes)
    throw new Error(`the record has ${body.length} bytes, and its file holds ${halfBytes - head.length}`);
  const half = Buffer.alloc(halfBytes, ' ');
  half.write(head, 'latin1');
  body.copy(half, head.length);
  half[halfBytes - 1] = 0x0a;
  return half;
}

/** A file system that is full takes part of a write before it refuses the rest. */
async function writeAll(handle: FileHandle, bytes: Buffer, at: number): Promise<void> {
  let done = 0;
  while (done < bytes.length)
    done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/** Of the number too: a head that was cut off must not give the older text the newer number. */
function sumOf(sequence: number, halfBytes: number, text: Buffer): string {
  return createHash('sha256').update(`${sequence} ${halfBytes}\n`).update(text).digest('hex');
}
