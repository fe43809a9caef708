/**
 * Names of what a question makes in QEMU for a moment (a map's node and its export). They say which process asked, so
 * that what a killed one left behind is told from what is still in use, with no record beside it.
 *
 *   cbtx-<process number, 6 hex digits><its start in clock ticks, 10 hex digits>-<number of the map>
 */
import { CbtError } from '../../../core/errors.js';
import { OWN_PREFIX } from '../ownNames.js';
import { startTimeOf } from '../session/lease.js';

const ID = new RegExp(`^${OWN_PREFIX}x-([0-9a-f]{6})([0-9a-f]{10})-(\\d{1,6})$`);

export interface QueryId {
  /** Stands for the asking process. */
  tag: string;
  pid: number;
  startTicks: number;
}

/** Null for a name that no question gave. */
export function parseQueryId(id: string): QueryId | null {
  const match = ID.exec(id);
  if (match === null) return null;
  const [, pid = '', start = ''] = match;
  return { tag: pid + start, pid: Number.parseInt(pid, 16), startTicks: Number.parseInt(start, 16) };
}

export function makeQueryId(tag: string, index: number): string {
  return `${OWN_PREFIX}x-${tag}-${index % 1_000_000}`;
}

/** The tag of this process. */
export async function ownQueryTag(): Promise<string> {
  const start = await startTicksOf(process.pid);
  if (start === null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', '/proc does not tell when this process started');
  return process.pid.toString(16).padStart(6, '0') + start.toString(16).padStart(10, '0');
}

/** Whether the asking process still runs on this machine. */
export async function isAsking({ pid, startTicks }: QueryId): Promise<boolean> {
  return (await startTicksOf(pid)) === startTicks;
}

async function startTicksOf(pid: number): Promise<number | null> {
  const start = await startTimeOf(pid);
  return start === null ? null : Number(start);
}
