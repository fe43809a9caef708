/**
 * Bringing what an overlay took back into its image, while the guest writes on. Every step asks QEMU what there is, so it
 * finishes what another process began; whatever fails, the overlay stays with all that it holds.
 */
import { CbtError } from '../../../core/errors.js';
import { qmp } from '../qmp/commands.js';
import type { QmpClient } from '../qmp/qmpClient.js';
import type { WaitOptions } from '../waiting.js';
import { makeId } from './ids.js';
import { findJob, ignoreGone, waitForJob } from './jobs.js';
import { findCovering } from './overlay.js';

/** How often a caller that wants to know is told how far the job is. */
const TELL_EVERY_MS = 500;

export interface CommitBackPlace {
  tag: string;
  index: number;
  /** How the disk is called, for errors. */
  disk: string;
  /** Called before QEMU is told to turn from the overlay to the image. */
  settling: () => Promise<void>;
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Commits the overlay of a disk back; nothing to do where none takes writes. */
export async function commitBack(
  client: QmpClient,
  session: CommitBackPlace,
  options?: WaitOptions,
): Promise<void> {
  const { tag, index } = session;
  const id = makeId('job', tag, index);
  let job = await findJob(client, id, options);
  if (job?.status === 'concluded') {
    // Of an earlier try: what it came to is told by the graph.
    await ignoreGone(qmp(client, 'job-dismiss', { id }, options));
    job = null;
  }
  if (job === null) {
    const covering = await findCovering(client, tag, index, options);
    if (covering === null) return;
    await qmp(
      client,
      'block-commit',
      {
        'job-id': id,
        device: covering.root,
        'top-node': covering.overlay,
        'base-node': covering.image,
        'filter-node-name': makeId('filter', tag, index),
        'auto-dismiss': false,
      },
      options,
    );
  }
  const ticker = tellProgress(client, id, session.onProgress);
  try {
    job = await waitForJob(client, id, ['ready', 'concluded'], options);
  } finally {
    clearInterval(ticker);
  }
  if (job?.status === 'ready') {
    await session.settling();
    await qmp(client, 'job-complete', { id }, options);
    job = await waitForJob(client, id, ['concluded'], options);
  }
  if (job !== null) await qmp(client, 'job-dismiss', { id }, options);
  const left = await findCovering(client, tag, index, options);
  if (job?.error === undefined && left === null) return;
  const why = job?.error ?? 'the job ended early';
  const overlay = left?.overlay ?? makeId('overlay', tag, index);
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `what the guest wrote during the session could not be brought back into the image: ${why}. Nothing is lost: the guest goes on writing to the overlay ${overlay}; mend the cause, then end the session again`,
    { disk: session.disk, details: { overlay } },
  );
}

function tellProgress(
  client: QmpClient,
  id: string,
  onProgress: CommitBackPlace['onProgress'],
): NodeJS.Timeout | undefined {
  if (onProgress === undefined) return undefined;
  const tell = async (): Promise<void> => {
    const job = await findJob(client, id);
    if (job !== null) onProgress(job['current-progress'], job['total-progress']);
  };
  // A connection that is lost is told by the wait itself.
  return setInterval(() => void tell().catch(() => undefined), TELL_EVERY_MS);
}
