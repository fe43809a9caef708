/**
 * What sessions and questions left behind on a running VM: what each is, whether it is still somebody's, and what mending
 * it does. Looking changes nothing.
 */

import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { findPausedForSpace } from '../backend/qemu/graph/pausedForSpace.js';
import type { Lease } from '../backend/qemu/own/lease.js';
import { clearLeftQueries, findLeftQueries } from '../backend/qemu/own/leftQueries.js';
import type { QmpPort } from '../backend/qemu/qmp/qmpPort.js';
import {
  describeKeeper,
  endDeadSession,
  findHeldSessions,
  type HeldSession,
} from '../backend/qemu/session/deadSessions.js';
import { endSession } from '../backend/qemu/session/ending.js';
import { readFromQemu } from '../backend/qemu/session/fromQemu.js';
import {
  describeAwaited,
  endLostSession,
  findAwaited,
  findLostSessions,
  findUnclearFolders,
  type LeftFolder,
  strandedBecause,
  type UnclearFolder,
} from '../backend/qemu/session/leftFolders.js';
import { placesOfFiles } from '../backend/qemu/session/scratch.js';
import { acquireConnection, releaseConnection } from '../backend/qemu/vmConnection.js';
import type { CallOptions } from '../core/callOptions.js';
import { abortSignal, type Checks, checkOptions, milliseconds, text } from '../core/options.js';
import { pointLeftAfter } from '../core/pointLeft.js';
import { timeLeft } from '../core/timeLeft.js';
import { within } from '../core/within.js';
import { isMissing } from '../linux/fileFault.js';
import { scratchPlaces } from '../linux/scratchPlace.js';
import { type Leftover, mending } from './leftover.js';
import { ofPaused } from './pausedVm.js';
import { wayTo } from './ways.js';

/** Where to look besides the VM itself. */
export interface LeftoverOptions extends CallOptions {
  /** Folder given to sessions for their files, beside the usual ones. */
  scratchFolder?: string | undefined;
}

const OPTIONS: Checks<LeftoverOptions> = {
  scratchFolder: text,
  signal: abortSignal,
  timeoutMs: milliseconds,
};

/** Checks what is asked for, before anything is looked at. */
export function checkLeftovers(what: string, options: unknown): void {
  checkOptions(what, options, OPTIONS);
}

/**
 * Everything of ours on this VM that is in nobody's use, and the sessions that are.
 * @param address As {@link connectVm} takes it.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError` where the VM does not answer.
 * @example
 * ```ts
 * for (const { message } of await findVmLeftovers('/run/vms/web.qmp')) console.log(message);
 * ```
 */
export async function findVmLeftovers(address: string, options: LeftoverOptions = {}): Promise<Leftover[]> {
  checkLeftovers('findVmLeftovers', options);
  text(address, 'address');
  const left = timeLeft(options);
  return withClient(address, left(), (client) =>
    within('findVmLeftovers', left(), (own) => findOn(address, client, { ...options, signal: own?.signal })),
  );
}

async function findOn(
  address: string,
  client: QmpPort,
  { scratchFolder, signal }: LeftoverOptions,
): Promise<Leftover[]> {
  const found: Leftover[] = [];
  for (const held of await findHeldSessions(client, { signal }))
    found.push(await ofSession(address, client, held));
  for (const whose of ['dead', 'unknown'] as const) {
    const { exports, nodes, folders } = await findLeftQueries(client, whose, { signal });
    const parts = [...exports, ...nodes, ...folders];
    if (parts.length > 0) found.push(ofQuestions(address, whose, parts));
  }
  const places = await placesOfFiles(client, { folder: scratchFolder }, { signal });
  for (const lost of await findLostSessions(client, places, { signal })) {
    const stranded = strandedBecause(lost);
    const { lease, folder } = lost;
    if (stranded !== null) {
      found.push({
        problem: true,
        message: stranded.message,
        advice: `the VM has started from the images without these writes, and both cannot be had in one: keep the VM as it is and delete ${folder}, or stop it and put the overlay (its header names the image) in the image’s place`,
        mend: null,
      });
      continue;
    }
    const awaited = await findAwaited(client, lost, { signal });
    const message = `session ${lease.session} of ${lease.created} was never ended: QEMU stopped, or was started anew, in the middle of it (${folder})${mayBeFrozen(lease)}`;
    const waits = awaited.length > 0 && awaited.length === lease.disks.length && lease.frozen === undefined;
    const what = 'roll back its point in time where a disk still has it, and remove its files';
    found.push({
      problem: !waits,
      message,
      ...(waits && { advice: describeAwaited(awaited, folder) }),
      mend: waits
        ? null
        : mending(what, (stop) => withClient(address, { signal: stop }, (c) => endLost(c, lost, stop))),
    });
  }
  found.push(...(await findUnclearLeftovers(places)));
  const paused = await findPausedForSpace(client, { signal });
  if (paused !== null)
    found.push(ofPaused(paused, address, (work, stop) => withClient(address, { signal: stop }, work)));
  return found;
}

async function endLost(client: QmpPort, lost: LeftFolder, signal: AbortSignal | undefined): Promise<void> {
  const { disks } = await endLostSession(client, lost, { signal });
  const [stays] = pointLeftAfter(disks);
  if (stays !== undefined) throw stays.why;
}

/** In a folder for temporary files, where sessions of every VM are: one that cannot be told may have nothing to do with what is asked about. */
export function isAnybodys(folder: string): boolean {
  return scratchPlaces().includes(dirname(folder));
}

/** Folders of sessions of which nothing else can be told. */
export async function findUnclearLeftovers(places: readonly string[]): Promise<Leftover[]> {
  return (await findUnclearFolders(places)).map((unclear) => ({
    problem: (unclear.overlays.length > 0 || unclear.record) && !isAnybodys(unclear.folder),
    message: unclear.record
      ? `${unclear.folder} has the record of a session, which cannot be read`
      : `${unclear.folder} has files of a session, and no record that can be believed`,
    advice: adviceOn(unclear),
    mend: null,
  }));
}

function adviceOn({ overlays, record }: UnclearFolder): string {
  if (overlays.length > 0)
    return 'its overlays may hold what a guest wrote: `qemu-img info` names the image that each stands on; look whether that has it all (`qemu-img compare`) before you remove the folder';
  return record
    ? 'a later version of qemu-cbt may have made it: end the session with that one. It may say that a point in time is nobody’s: without it, the next backup may build on that'
    : 'it can be removed when no QEMU has it open (`fuser`)';
}

function ofQuestions(address: string, whose: 'dead' | 'unknown', parts: readonly string[]): Leftover {
  const who =
    whose === 'dead'
      ? 'left by a process that is gone while it asked for a map'
      : 'asked for by a process that cannot be seen from here (in another container, or in one that was started anew)';
  const then = whose === 'dead' ? '' : '; a question that is still being asked fails, and can be asked again';
  return {
    problem: true,
    message: `${who}: ${parts.join(', ')}`,
    mend: mending(`remove them${then}`, (signal) =>
      withClient(
        address,
        { signal },
        async (client) => void (await clearLeftQueries(client, whose, { signal })),
      ),
    ),
  };
}

async function ofSession(address: string, client: QmpPort, held: HeldSession): Promise<Leftover> {
  const { tag, lease, keeper } = held;
  const session = lease?.session ?? `${tag}…`;
  const message = `session ${session} is open: ${describeKeeper(lease)}`;
  const byHand = `end it with \`qemu-cbt commit\` or \`rollback --vm ${address} --session ${session}\``;
  if (keeper === 'alive' || keeper === 'detached')
    return { problem: false, message, advice: byHand, mend: null };
  if (lease === null && keeper === 'unknown') return withoutRecord(address, client, held);
  if (keeper === 'unknown') {
    const advice = `whether it is still used cannot be seen from here: look on the machine that began it, then ${byHand}`;
    return { problem: true, message, advice, mend: null };
  }
  const ending = lease?.ending ?? 'rollback';
  const thaw = lease?.frozen === undefined ? '' : `thaw the guest behind ${lease.frozen.agent}, `;
  const how = `${thaw}${ending === 'commit' ? 'finish its commit' : 'roll it back'}`;
  const back = lease?.mode === 'overlay' ? ', bringing what the guest wrote back into the image' : '';
  return {
    problem: true,
    message: `session ${session} was begun by a process that is gone${mayBeFrozen(lease)}`,
    mend: mending(keeper === 'unbegun' ? 'remove what was prepared for it' : `${how}${back}`, (signal) =>
      withClient(address, { signal }, async (client) => {
        const again = (await findHeldSessions(client, { signal })).find((s) => s.tag === tag);
        if (again !== undefined) await endDeadSession(client, again, { signal });
      }),
    ),
  };
}

/** Nobody can say whose it is. With its folder gone, which QEMU itself told, there is nobody to ask either. */
async function withoutRecord(
  address: string,
  { host }: QmpPort,
  { tag, parts: { folder } }: HeldSession,
): Promise<Leftover> {
  const byHand = `end it with \`qemu-cbt commit\` or \`rollback --vm ${address} --session ${tag}\``;
  // QEMU may have other files at that path than we: then it is the one who knows.
  const gone = folder !== null && (await isGone(folder)) && !(await host.has(folder));
  if (!gone) {
    const message = `session ${tag}… is open, and its record${folder === null ? '' : ` in ${folder}`} cannot be read from here`;
    return { problem: true, message, advice: `look whether it is still used, then ${byHand}`, mend: null };
  }
  return {
    problem: true,
    message: `session ${tag}… is open, and its folder ${folder} is gone`,
    advice: `when a backup is still reading, let it end; else ${byHand}`,
    mend: mending('roll it back, bringing what the guest wrote to an overlay back into the image', (signal) =>
      withClient(address, { signal }, async (client) => {
        const known = await readFromQemu(client, tag, { signal });
        if (known !== null) await endSession(client, known, 'rollback', { signal });
      }),
    ),
  };
}

function mayBeFrozen(lease: Lease | null): string {
  if (lease?.frozen === undefined) return '';
  const { agent, since } = lease.frozen;
  return `; THE GUEST MAY BE FROZEN since ${since} (agent ${agent})`;
}

async function isGone(folder: string): Promise<boolean> {
  return (await lstat(folder).catch(isMissing)) === true;
}

async function withClient<T>(
  address: string,
  options: CallOptions,
  use: (client: QmpPort) => Promise<T>,
): Promise<T> {
  const connection = await acquireConnection(await wayTo(address), options);
  try {
    return await use(connection.client);
  } finally {
    await releaseConnection(connection);
  }
}
