/**
 * The record of a session in its folder: what it is, and whose. It is written before anything in QEMU changes, so
 * whatever a crash leaves behind can be told from a session that somebody still uses.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { CbtError } from '../../../core/errors.js';
import { tagOf } from './ids.js';

export const LEASE_NAME = 'session.json';
const MAX_LEASE_BYTES = 1 << 20;

const ownerSchema = z.object({
  pid: z.number().int().positive(),
  /** Field 22 of /proc/<pid>/stat: tells the process from a later one with its number. */
  startTime: z.string(),
  bootId: z.string(),
  host: z.string(),
});

const leaseSchema = z.object({
  version: z.literal(1),
  session: z.string(),
  /** The QMP socket, and the machine it is on. */
  vm: z.string(),
  host: z.string(),
  mode: z.enum(['fleece', 'overlay']),
  /** Null for a session that outlives the command which began it. */
  owner: ownerSchema.nullable(),
  created: z.string(),
  /** The transaction may have happened: there may be a point in time, and overlays may hold writes of the guest. */
  taken: z.boolean(),
  /** Somebody is ending the session, this way: its jobs go, and that is no break. */
  ending: z.enum(['commit', 'rollback']).optional(),
  /** Overlay mode: every overlay was committed back whole; none holds anything that its image lacks. */
  emptied: z.boolean().optional(),
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
      sizeBytes: z.number().int().nonnegative(),
      verdict: z.enum(['incremental', 'full']).optional(),
      reason: z.string().optional(),
      base: z.string().optional(),
      epoch: z.string().optional(),
      changeId: z.string().optional(),
    }),
  ),
});

export type Owner = z.infer<typeof ownerSchema>;
export type Lease = z.infer<typeof leaseSchema>;
export type LeaseDisk = Lease['disks'][number];

/** Who we are. */
export async function ownOwner(): Promise<Owner> {
  const startTime = await startTimeOf(process.pid);
  if (startTime === null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', '/proc does not tell when this process started');
  return { pid: process.pid, startTime, bootId: await bootId(), host: hostname() };
}

/** Whether the owner still runs; null when that cannot be known from here (another host). */
export async function isAlive(owner: Owner): Promise<boolean | null> {
  if (owner.host !== hostname()) return null;
  if (owner.bootId !== (await bootId())) return false;
  return (await startTimeOf(owner.pid)) === owner.startTime;
}

/** Sessions that this very process watches; with its connection lost, a session is nobody's, however alive we are. */
const watched = new Set<string>();

export function holdSession(session: string): void {
  watched.add(session);
}

/** Whether this process watches, or is beginning, the session that this tag stands for. */
export function isWatched(tag: string): boolean {
  return [...watched].some((session) => tagOf(session) === tag);
}

export function letGoOfSession(session: string): void {
  watched.delete(session);
}

/** Who looks after a session: a process that runs, one that is gone, nobody by design, or one that cannot be seen from here. */
export type Keeper = 'alive' | 'dead' | 'detached' | 'unknown';

export async function keeperOf({ owner, session }: Lease): Promise<Keeper> {
  if (owner === null) return 'detached';
  const alive = await isAlive(owner);
  if (alive === null) return 'unknown';
  if (!alive) return 'dead';
  return owner.pid === process.pid && !watched.has(session) ? 'dead' : 'alive';
}

export async function writeLease(folder: string, lease: Lease): Promise<void> {
  const target = path.join(folder, LEASE_NAME);
  const temporary = `${target}.${randomUUID()}`;
  try {
    await writeFile(temporary, `${JSON.stringify(lease, null, 2)}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The lease in a folder; null when there is none that can be read: then nothing is known about its owner. */
export async function readLease(folder: string): Promise<Lease | null> {
  const text = await readFile(path.join(folder, LEASE_NAME), 'utf8').catch(() => null);
  if (text === null || text.length > MAX_LEASE_BYTES) return null;
  try {
    const checked = leaseSchema.safeParse(JSON.parse(text));
    return checked.success ? checked.data : null;
  } catch {
    return null;
  }
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

const ENDED: readonly string[] = ['Z', 'X', 'x'];

/** Field 22 of /proc/<pid>/stat; null where no such process runs. */
export async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The command's name is in parentheses and may hold anything, parentheses included.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  // One that has ended and waits for its parent to hear of it does nothing any more.
  return ENDED.includes(fields[0] ?? '') ? null : (fields[19] ?? null);
}
