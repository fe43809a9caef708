/**
 * How far bringing an overlay back came, disk by disk, in a file beside it: which of the two holds the newer data when QEMU is
 * gone. It is made with the overlay and written in place from then on, so that no step needs new space; each step is on stable
 * storage before what it tells of begins.
 *
 *   holds ──→ returning ──→ settling ──→ returned
 *             (QEMU copies;   (QEMU was told to turn to the image:
 *              the overlay     either may be the newer one)
 *              has it all)
 */
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { uptime } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { onFile } from '../../../linux/fileFault.js';

const schema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('holds') }),
  z.object({
    state: z.literal('returning'),
    /** When the image was last written, as seen the last time (nanoseconds): by then only the commit had written to it. */
    imageTime: z.string().regex(/^\d+$/).nullable(),
    /** The start of the machine in which it was seen. */
    bootId: z.string(),
  }),
  z.object({ state: z.literal('settling') }),
  z.object({ state: z.literal('returned') }),
]);

export type OverlayState = z.infer<typeof schema>;

/** One sector: a write of it is there whole, or not at all. */
const RECORD_BYTES = 512;

export function overlayRecordName(index: number): string {
  return `overlay-${index}.json`;
}

/** The record of a new overlay; it, the overlay, and the names that lead to both are on stable storage afterwards. */
export async function makeOverlayRecord(folder: string, index: number): Promise<void> {
  const file = join(folder, overlayRecordName(index));
  await onFile(file, 'making it', async () => {
    await using record = await open(file, 'wx', 0o600);
    await write(record, { state: 'holds' });
    await record.sync();
    for (const path of [join(folder, `overlay-${index}.qcow2`), folder, dirname(folder)]) {
      await using part = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      await part.sync();
    }
  });
}

export async function noteOverlay(folder: string, index: number, state: OverlayState): Promise<void> {
  const file = join(folder, overlayRecordName(index));
  await onFile(file, 'writing', async () => {
    await using record = await open(file, constants.O_WRONLY | constants.O_NOFOLLOW);
    await write(record, state);
    await record.datasync();
  });
}

/** QEMU is about to write to the image, or has written: the image as it is now is the commit's work alone. */
export async function noteReturning(folder: string, index: number, image: string | undefined): Promise<void> {
  const imageTime = image === undefined ? null : await lastWritten(image);
  await noteOverlay(folder, index, { state: 'returning', imageTime, bootId: await bootId() });
}

/** Between two looks while the commit runs, and some more: what a loss of power may have let through unseen. */
const UNSEEN_NS = 3_000_000_000n;

/**
 * Why somebody else may have written to the image since it was last seen; null when nobody has. It is as it was seen; or it was
 * seen a moment before the machine went down, and was not written to in this run of it.
 */
export async function whyWrittenSince(
  { imageTime, bootId: seenIn }: Extract<OverlayState, { state: 'returning' }>,
  image: string,
): Promise<string | null> {
  const now = await lastWritten(image);
  if (imageTime === null || now === null) return 'when it was last written is not known';
  if (now === imageTime) return null;
  const startedNs = BigInt(Math.floor((Date.now() / 1000 - uptime()) * 1e9));
  const beforeThisRun = seenIn !== (await bootId()) && BigInt(now) < startedNs;
  if (beforeThisRun && BigInt(now) <= BigInt(imageTime) + UNSEEN_NS) return null;
  return 'it was written after QEMU ended, or after anybody looked for the last time';
}

/** Null where it cannot be read, or somebody else may have written it. */
export async function readOverlayRecord(folder: string, index: number): Promise<OverlayState | null> {
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await using record = await open(join(folder, overlayRecordName(index)), flags);
    const info = await record.stat();
    const own = process.geteuid?.() ?? 0;
    if (!info.isFile() || info.size !== RECORD_BYTES || (info.uid !== own && info.uid !== 0)) return null;
    const { buffer } = await record.read(Buffer.alloc(RECORD_BYTES), 0, RECORD_BYTES, 0);
    const checked = schema.safeParse(JSON.parse(buffer.toString('utf8')));
    return checked.success ? checked.data : null;
  } catch {
    return null;
  }
}

/** Null where the image cannot be seen from here. */
async function lastWritten(image: string): Promise<string | null> {
  const info = await stat(image, { bigint: true }).catch(() => null);
  return info === null ? null : String(info.mtimeNs);
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

async function write(record: FileHandle, state: OverlayState): Promise<void> {
  const text = `${JSON.stringify(state).padEnd(RECORD_BYTES - 1)}\n`;
  await record.write(Buffer.from(text), 0, RECORD_BYTES, 0);
}
