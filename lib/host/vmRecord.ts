/**
 * What is remembered about a VM beside QEMU: names of snapshots, which instant of which history each of their disks was, and which
 * key each disk has. It survives this process and QEMU. Whether a disk is still the one that is remembered is always asked of the
 * disk itself; what is lost with a record is names.
 */
import { z } from 'zod';
import { CbtError } from '../core/errors.js';

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
export const ownerSchema = z.object({
  pid: z.number(),
  host: z.string(),
  bootId: z.string(),
  machineId: z.string().optional(),
});
const recordSchema = z.object({
  version: z.literal(1),
  /** The VM's number on this machine (vmIds.ts). */
  id: z.number().int().positive().optional(),
  nextSnapshot: z.number().int().positive(),
  nextKey: z.number().int().positive(),
  keys: z.record(z.string(), z.number().int()),
  snapshots: z.array(snapshotSchema),
  /** As QEMU told it last, for when the VM is off. */
  uuid: z.string().optional(),
  /** What QEMU told of its machine last, for when the VM is off. */
  machine: z
    .object({ cpus: z.number().int().positive(), memoryBytes: z.number().int().nonnegative() })
    .optional(),
  /** Whether tracking was switched on or off here; else QEMU's bitmaps tell. */
  trackingEnabled: z.boolean().optional(),
  /** Sessions that are being begun: what a process that died in between left is ended by the next. */
  pending: z.array(z.object({ session: z.string(), owner: ownerSchema })).default([]),
});

export type DiskRecord = z.infer<typeof diskSchema>;
export type SnapshotRecord = z.infer<typeof snapshotSchema>;
export type VmRecord = z.infer<typeof recordSchema>;

/** Of a VM of which nothing is remembered yet. */
export function emptyRecord(): VmRecord {
  return {
    version: 1,
    nextSnapshot: 1,
    nextKey: FIRST_KEY,
    keys: {},
    snapshots: [],
    pending: [],
  };
}

/** The record that a file's text is; `ERR_CBT_BACKEND_UNAVAILABLE` where it is damaged. */
export function parseRecord(file: string, text: string): VmRecord {
  const checked = recordSchema.safeParse(parse(text));
  if (checked.success) return checked.data;
  const [what] = checked.error.issues;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${file} is damaged (${what?.path.join('.')}: ${what?.message}); without it the names of snapshots and the keys of disks are lost: remove it to go on`,
    { details: { path: file } },
  );
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
