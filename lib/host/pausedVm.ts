/**
 * What `doctor` makes of a VM that QEMU paused for want of space: which file system it is, and how the VM goes on. Sessions
 * of ours whose files take the room are rolled back first.
 */
import { findPausedForSpace, goOn, type PausedVm } from '../backend/qemu/graph/pausedForSpace.js';
import type { QmpPort } from '../backend/qemu/qmp/qmpPort.js';
import { describeKeeper, endDeadSession, findHeldSessions } from '../backend/qemu/session/deadSessions.js';
import { endSession } from '../backend/qemu/session/ending.js';
import { CbtError } from '../core/errors.js';
import { type Leftover, mending } from './leftover.js';
import { nameOfVm } from './ways.js';

type WithClient = (
  work: (client: QmpPort) => Promise<void>,
  signal: AbortSignal | undefined,
) => Promise<void>;

/** To be mended last of all: sessions that nobody keeps have ended by then, and their files are gone. */
export function ofPaused({ disks, full }: PausedVm, address: string, withClient: WithClient): Leftover {
  const names = (wanted: boolean): string =>
    disks.flatMap(({ disk, noSpace }) => (noSpace === wanted ? [disk] : [])).join(', ');
  if (disks.some(({ noSpace }) => !noSpace)) {
    const message = `the VM is paused: a write or read of ${names(false)} failed, and not for want of space`;
    return { problem: true, message, advice: 'see what QEMU and the kernel log say', mend: null };
  }
  const where = full.map(
    ({ path, folder, freeBytes, session }) =>
      `${folder} has ${freeBytes} bytes free (${path}${session === null ? '' : `, of session ${session}…`})`,
  );
  const message = `the VM is paused: a write of ${names(true)} found no space${where.length === 0 ? '; there is room now' : `: ${where.join('; ')}`}`;
  if (full.every(({ session }) => session !== null)) {
    const what = full.length === 0 ? '' : 'roll back the session whose files take the room, and ';
    return {
      problem: true,
      message,
      mend: mending(`${what}let the VM go on`, (signal) =>
        withClient((client) => mendPaused(client, signal), signal),
      ),
    };
  }
  const advice = `make room there, then \`qemu-cbt doctor ${nameOfVm(address)} --fix\`: the guest’s write is tried again, nothing is lost`;
  return { problem: true, message, advice, mend: null };
}

async function mendPaused(client: QmpPort, signal: AbortSignal | undefined): Promise<void> {
  const before = await findPausedForSpace(client, { signal });
  const tags = new Set(before?.full.flatMap(({ session }) => (session === null ? [] : [session])));
  for (const held of await findHeldSessions(client, { signal })) {
    const { tag, lease, parts, keeper } = held;
    if (!tags.has(tag)) continue;
    if (keeper === 'detached' && lease !== null && parts.folder !== null)
      await endSession(client, { folder: parts.folder, lease }, 'rollback', { signal });
    else if ((await endDeadSession(client, held, { signal })) === null)
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `session ${lease?.session ?? tag} takes the room, and somebody is at work on it (${describeKeeper(lease)}): end that first`,
        { reason: 'BUSY' },
      );
  }
  const [still] = (await findPausedForSpace(client, { signal }))?.full ?? [];
  if (still !== undefined)
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${still.folder} has ${still.freeBytes} bytes free: make room first`,
      { details: { folder: still.folder, freeBytes: still.freeBytes } },
    );
  await goOn(client, { signal });
}
