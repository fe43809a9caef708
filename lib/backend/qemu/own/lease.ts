/**
 * The record of a session in its folder: what it is, and whose. It is written before anything in QEMU changes, so
 * whatever a crash leaves behind can be told from a session that somebody still uses.
 */
import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { REASONS } from '../../../core/errorCodes.js';
import { isMissing } from '../../../linux/fileFault.js';
import { readRecord, writeRecord } from '../../../linux/record.js';

export const LEASE_NAME = 'session.json';

const leaseSchema = z.object({
  version: z.literal(1),
  session: z.string(),
  /** How the VM is reached (the QMP socket), and the machine it is on. */
  vm: z.string(),
  /** Who the VM is (`QemuHost.key`); records of older versions have none. */
  key: z.string().optional(),
  machine: z.object({ host: z.string(), bootId: z.string(), machineId: z.string().optional() }),
  mode: z.enum(['fleece', 'overlay']),
  /** Who holds it, for messages: whether it still does, the lock beside the record says. Null for a session that outlives its command. */
  owner: z.object({ pid: z.number().int().positive() }).nullable(),
  created: z.string(),
  /** The transaction may have happened: there may be a point in time, and overlays may hold writes of the guest. */
  taken: z.boolean(),
  /** Somebody is ending the session, this way: its jobs go, and that is no break. */
  ending: z.enum(['commit', 'rollback']).optional(),
  /** Overlay mode: every overlay was committed back whole; none holds anything that its image lacks. */
  emptied: z.boolean().optional(),
  /** The guest's file systems are being frozen for the session through this agent, or are frozen. */
  frozen: z.object({ agent: z.string(), since: z.string() }).optional(),
  /** Unix socket of the NBD server that serves the exports. */
  nbdSocket: z.string(),
  /** The server is the session's own and ends with it. */
  ownServer: z.boolean(),
  warnings: z.array(z.string()),
  disks: z.array(
    z.object({
      index: z.number().int().nonnegative(),
      disk: z.string(),
      /** The disk's format node. */
      node: z.string(),
      /** Path of the image, where it is known: what an overlay must be committed to when QEMU is gone. */
      image: z.string().optional(),
      /** Which file that was (`lastingIdentity`): another one under its path is another disk. */
      file: z.string().optional(),
      sizeBytes: z.number().int().nonnegative(),
      verdict: z.enum(['incremental', 'full']).optional(),
      /** A reason of a later version is none here: `message` says it too. */
      reason: z.enum(REASONS).optional().catch(undefined),
      message: z.string().optional(),
      base: z.string().optional(),
      epoch: z.string().optional(),
      changeId: z.string().optional(),
    }),
  ),
});

export type Lease = z.infer<typeof leaseSchema>;
export type LeaseDisk = Lease['disks'][number];

/** Needs no new space once it was written: a session can be ended on a full disk. On stable storage when it returns. */
export async function writeLease(folder: string, lease: Lease): Promise<void> {
  await writeRecord(path.join(folder, LEASE_NAME), `${JSON.stringify(lease, null, 2)}\n`);
}

/** Whether the session is over: its record goes when it ends. One that cannot be looked at, for want of files or rights, is still there. */
export async function isLeaseGone(folder: string): Promise<boolean> {
  return lstat(path.join(folder, LEASE_NAME)).then(
    () => false,
    (error: unknown) => isMissing(error),
  );
}

/** The lease in a folder; null when there is none that can be read: then nothing is known about its owner. */
export async function readLease(folder: string): Promise<Lease | null> {
  const text = await readRecord(path.join(folder, LEASE_NAME)).catch(() => null);
  if (text === null) return null;
  try {
    const checked = leaseSchema.safeParse(JSON.parse(text));
    return checked.success ? checked.data : null;
  } catch {
    return null;
  }
}
