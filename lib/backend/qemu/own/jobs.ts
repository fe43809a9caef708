/** QEMU's jobs, from start to gone: events say when to look, `query-jobs` says what is true. */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import { EVENTS_LOST, type QmpPort } from '../qmp/qmpPort.js';
import type { JobInfo, QmpEvent } from '../qmp/schemas.js';

export async function findJob(client: QmpPort, id: string, options?: WaitOptions): Promise<JobInfo | null> {
  return (await qmp(client, 'query-jobs', undefined, options)).find((job) => job.id === id) ?? null;
}

/**
 * Waits until the job is in one of the states, or gone (null). A job made with `auto-dismiss` on may pass `concluded`
 * between two looks; ours are made with it off.
 */
export async function waitForJob(
  client: QmpPort,
  id: string,
  states: readonly string[],
  options: WaitOptions = {},
): Promise<JobInfo | null> {
  for (;;) {
    const changed = client.waitEvent(
      ({ event, data }) => event === EVENTS_LOST || (event === 'JOB_STATUS_CHANGE' && data?.['id'] === id),
      options,
    );
    const job = await findJob(client, id, options);
    if (job === null || states.includes(job.status)) return job;
    await changed;
  }
}

/** Waits for a job to conclude, dismisses it, and throws what it failed with. */
export async function finishJob(
  client: QmpPort,
  id: string,
  what: string,
  options?: WaitOptions,
): Promise<void> {
  const job = await waitForJob(client, id, ['concluded'], options);
  if (job === null)
    throw new CbtError('ERR_CBT_BACKEND_PROTOCOL', `${what}: job ${id} vanished before it concluded`);
  await qmp(client, 'job-dismiss', { id }, options);
  if (job.error !== undefined)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${what} failed: ${job.error}`);
}

/** Ends jobs, whatever state they are in, and waits until all are gone. */
export async function dropJobs(
  client: QmpPort,
  ids: readonly string[],
  options: WaitOptions = {},
): Promise<void> {
  if (ids.length === 0) return;
  const changed = (): Promise<QmpEvent> =>
    client.waitEvent(
      ({ event, data }) =>
        event === EVENTS_LOST || (event === 'JOB_STATUS_CHANGE' && ids.includes(String(data?.['id']))),
      options,
    );
  const look = async (): Promise<JobInfo[]> =>
    (await qmp(client, 'query-jobs', undefined, options)).filter(({ id }) => ids.includes(id));
  const goesOn = ({ status }: JobInfo): boolean => status !== 'concluded';
  const each = (jobs: readonly JobInfo[], command: 'job-cancel' | 'job-dismiss'): Promise<unknown> =>
    Promise.all(jobs.map(({ id }) => ignoreGone(qmp(client, command, { id }, options))));
  let news = changed();
  let jobs = await look();
  await each(jobs.filter(goesOn), 'job-cancel');
  while (jobs.some(goesOn)) {
    jobs = await look();
    if (!jobs.some(goesOn)) break;
    await news;
    news = changed();
  }
  await each(jobs, 'job-dismiss');
}

/** A command about something that ended by itself in between has nothing left to do. */
export async function ignoreGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (
      error instanceof QmpCommandError &&
      /not found|failed to find|cannot accept command verb|already shutting down/i.test(error.message)
    )
      return;
    throw error;
  }
}
