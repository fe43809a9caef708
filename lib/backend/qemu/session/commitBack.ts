/**
 * Bringing what an overlay took back into its image, while the guest writes on. Every step asks QEMU what there is, so it
 * finishes what another process began; whatever fails, the overlay stays with all that it holds.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { makeId } from '../own/ids.js';
import { findJob, ignoreGone, waitForJob } from '../own/jobs.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { type Covering, findCovering } from './overlay.js';
import { noteOverlay, noteReturning, readOverlayRecord } from './overlayRecord.js';

/** How often is told how far the job is, and the image looked at. */
const TELL_EVERY_MS = 500;

export interface CommitBackPlace {
  tag: string;
  index: number;
  /** How the disk is called, for errors. */
  disk: string;
  /** The image's node. */
  node: string;
  /** Path of the image, where it is known. */
  image?: string | undefined;
  /** The session's folder. */
  folder: string;
  /** Told bytes that are back, and all that have to be. */
  onBytes?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Commits the overlay of a disk back; nothing to do where none takes writes. */
export async function commitBack(
  client: QmpPort,
  session: CommitBackPlace,
  options?: WaitOptions,
): Promise<void> {
  const { tag, index, folder, image } = session;
  const id = makeId('job', tag, index);
  // A record that cannot be written keeps nobody from bringing the data back; a person has to look should QEMU die meanwhile.
  const note = (state: 'returning' | 'settling' | 'returned'): Promise<void> =>
    (state === 'returning'
      ? noteReturning(folder, index, image)
      : noteOverlay(folder, index, { state })
    ).catch(() => undefined);
  let job = await findJob(client, id, options);
  if (job?.status === 'concluded') {
    // Of an earlier try: what it came to is told by the graph.
    await ignoreGone(qmp(client, 'job-dismiss', { id }, options));
    job = null;
  }
  const covering = job === null ? await findCovering(client, session, options) : null;
  if (job === null && covering === null) {
    // Another process may have brought it back, and ended before it could say so.
    if ((await readOverlayRecord(folder, index))?.state === 'settling') await note('returned');
    return;
  }
  await note('returning');
  const ticker = whileItRuns(client, id, () => note('returning'), session.onBytes);
  try {
    if (covering !== null) await start(client, session, covering, options);
    job = await waitForJob(client, id, ['ready', 'concluded'], options);
  } finally {
    await ticker.stop();
    // The last look: with QEMU gone, whoever writes to the image from here on is somebody else.
    await note('returning');
  }
  if (job?.status === 'ready') {
    await note('settling');
    await qmp(client, 'job-complete', { id }, options);
    job = await waitForJob(client, id, ['concluded'], options);
  }
  if (job !== null) await qmp(client, 'job-dismiss', { id }, options);
  const left = await findCovering(client, session, options);
  await note(left === null ? 'returned' : 'returning');
  if (job?.error === undefined && left === null) return;
  const why = job?.error ?? 'the job ended early';
  const overlay = left?.overlay ?? makeId('overlay', tag, index);
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `what the guest wrote during the session could not be brought back into the image: ${why}. Nothing is lost: the guest goes on writing to the overlay ${overlay}; ${whatToDo(why)}`,
    { disk: session.disk, details: { overlay } },
  );
}

/**
 * EPERM is QEMU's own: it could not mark the bitmaps in the image as in use, keeps them read-only from then on, and with them the
 * image, until it is started anew (seen on 7.2). What stands in the image is whole.
 */
function whatToDo(why: string): string {
  return /Operation not permitted/.test(why)
    ? 'this QEMU will not write to the image any more, because it could not mark its bitmaps: stop the VM when it suits, and run qemu-cbt doctor --fix on the image before it starts again. Points in time stay'
    : 'mend the cause, then end the session again';
}

async function start(
  client: QmpPort,
  { tag, index, disk }: CommitBackPlace,
  { root, overlay, image, apart, snapshots }: Covering,
  options: WaitOptions | undefined,
): Promise<void> {
  if (snapshots.length > 0) {
    const message = `internal snapshots were taken of ${disk} during the session (${snapshots.join(', ')}), and would go with its overlay ${overlay}: delete them, then end the session again`;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk, reason: 'BUSY' });
  }
  if (apart !== undefined) {
    const below = { driver: 'qcow2', 'node-name': overlay, file: apart, backing: image };
    await qmp(client, 'blockdev-reopen', { options: [below] }, options);
  }
  await qmp(
    client,
    'block-commit',
    {
      'job-id': makeId('job', tag, index),
      device: root,
      'top-node': overlay,
      'base-node': image,
      'filter-node-name': makeId('filter', tag, index),
      'auto-dismiss': false,
    },
    options,
  );
}

/** Looks at the image and tells how far the job is, again and again, until it is stopped. */
function whileItRuns(
  client: QmpPort,
  id: string,
  look: () => Promise<void>,
  onBytes: CommitBackPlace['onBytes'],
): { stop(): Promise<void> } {
  const tell = async (): Promise<void> => {
    await look();
    const job = onBytes && (await findJob(client, id));
    if (job) onBytes?.(job['current-progress'], job['total-progress']);
  };
  let telling = Promise.resolve();
  const timer = setInterval(() => {
    // A connection that is lost is told by the wait itself.
    telling = telling.then(tell).catch(() => undefined);
  }, TELL_EVERY_MS);
  return {
    async stop() {
      clearInterval(timer);
      await telling;
    },
  };
}
