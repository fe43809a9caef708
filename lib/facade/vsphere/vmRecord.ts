/**
 * What is remembered about a VM beside QEMU: names of snapshots, which instant of which history each of their disks was, and which
 * key each disk has. It survives this process and QEMU. Whether a disk is still the one that is remembered is always asked of the
 * disk itself; what is lost with a record is names.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writeWholeFile } from '../../linux/wholeFile.js';
import { VimFault } from './faults.js';

/** Key of the first disk. */
export const FIRST_KEY = 2000;

const diskSchema = z.object({
  disk: z.string(),
  key: z.number().int(),
  fileName: z.string(),
  capacityInBytes: z.number().int().nonnegative(),
  /** Paths of what lay below the image, the nearest first. */
  parents: z.array(z.string()).optional(),
  /** What the disk was, whatever it is called by now. */
  instant: z.object({ epoch: z.string(), sequence: z.number().int().positive(), pit: z.string() }),
});
const snapshotSchema = z.object({
  id: z.number().int().positive(),
  name: z.string(),
  description: z.string(),
  createTime: z.string(),
  quiesced: z.boolean(),
  /** The session that keeps the snapshot readable, and the UUID of its point in time. */
  session: z.string(),
  /** The point in time stays when the snapshot goes. */
  tracked: z.boolean(),
  disks: z.array(diskSchema),
});
/** For messages, and for machines that do not see each other's locks. */
const ownerSchema = z.object({
  pid: z.number(),
  host: z.string(),
  bootId: z.string(),
  machineId: z.string().optional(),
});
const recordSchema = z.object({
  version: z.literal(1),
  nextSnapshot: z.number().int().positive(),
  nextKey: z.number().int().positive(),
  keys: z.record(z.string(), z.number().int()),
  snapshots: z.array(snapshotSchema),
  /** As QEMU told it last, for when the VM is off. */
  uuid: z.string().optional(),
  /** Whether tracking was switched on or off here; else QEMU's bitmaps tell. */
  trackingEnabled: z.boolean().optional(),
  /** Who keeps the VM as it is (hold.ts). */
  holder: z.object({ identity: z.string(), owner: ownerSchema }).nullable().default(null),
  /** Changes of the VM that are under way. */
  changes: z.array(z.object({ task: z.string(), owner: ownerSchema })).default([]),
  /** Sessions that are being begun: what a process that died in between left is ended by the next. */
  pending: z.array(z.object({ session: z.string(), owner: ownerSchema })).default([]),
});

export type DiskRecord = z.infer<typeof diskSchema>;
export type SnapshotRecord = z.infer<typeof snapshotSchema>;
export type VmRecord = z.infer<typeof recordSchema>;

const MAX_BYTES = 16 << 20;

export function defaultStateFolder(): string {
  if (process.getuid?.() === 0) return '/var/lib/qemu-cbt';
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local/state'), 'qemu-cbt');
}

export async function readRecord(file: string): Promise<VmRecord> {
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES)
      throw new VimFault('InvalidState', `${file} has ${size} bytes, at most ${MAX_BYTES} are read`);
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof VimFault) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT')
      return {
        version: 1,
        nextSnapshot: 1,
        nextKey: FIRST_KEY,
        keys: {},
        snapshots: [],
        holder: null,
        changes: [],
        pending: [],
      };
    throw new VimFault('InvalidState', `${file} cannot be read`, {}, cause);
  }
  const checked = recordSchema.safeParse(parse(text));
  if (checked.success) return checked.data;
  const [what] = checked.error.issues;
  throw new VimFault(
    'InvalidState',
    `${file} is damaged (${what?.path.join('.')}: ${what?.message}); without it the names of snapshots and the keys of disks are lost: remove it to go on`,
  );
}

/** Snapshots are of the VM with its UUID; another one that has its name by now must not be taken for it. */
export function requireSameVm(
  name: string,
  { uuid, snapshots, pending }: VmRecord,
  now: string | null,
): void {
  if (now === null || uuid === undefined || uuid === now || snapshots.length + pending.length === 0) return;
  const kept = snapshots.map((snapshot) => JSON.stringify(snapshot.name)).join(', ') || 'one that was begun';
  throw new VimFault(
    'InvalidState',
    `${name} is the VM ${now} now, and there are snapshots (${kept}) of the VM ${uuid} under this name: remove them there, or give one of the two another name`,
  );
}

/** Written beside, synced and renamed: there is always one whole record. */
export async function writeRecord(folder: string, file: string, record: VmRecord): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWholeFile(file, (to) => to.writeFile(`${JSON.stringify(record, null, 2)}\n`), { mode: 0o600 });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The key of a disk, given out once. */
export function keyOf(record: VmRecord, disk: string): number {
  const known = record.keys[disk];
  if (known !== undefined) return known;
  const key = record.nextKey;
  record.nextKey += 1;
  record.keys[disk] = key;
  return key;
}
