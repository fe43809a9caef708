/**
 * Filling an overlay from what lies below it, by the QEMU that runs from it (`block-stream`), while its guest goes on. Nobody else could: the image
 * is that QEMU’s. Ended before its end, the overlay goes on over what is below, and another filling does the rest. A job outlives who asked for it: one
 * that goes on is watched, one that ended is taken away.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { Vm } from '../core/vm.js';
import { fileIdentity } from '../linux/fileIdentity.js';

export interface FillOptions {
  signal?: AbortSignal | undefined;
  /** Told bytes that are done and that there are, as QEMU counts them. */
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

const LOOK_EVERY_MS = 250;

const jobs = z.array(
  z.looseObject({
    id: z.string(),
    type: z.string(),
    status: z.string(),
    'current-progress': z.number(),
    'total-progress': z.number(),
    error: z.string().optional(),
  }),
);

/** Whether the running VM has the image as a disk. */
export async function hasImage(vm: Vm, image: string, signal?: AbortSignal): Promise<boolean> {
  return (await nodeOf(vm, image, signal)) !== null;
}

/** Resolves when nothing below the image is needed any more. Called off, the job is ended, and the VM goes on over what is below. */
export async function fillOverlay(vm: Vm, image: string, options: FillOptions = {}): Promise<void> {
  const { signal, onProgress } = options;
  const node = await nodeOf(vm, image, signal);
  if (node === null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `the VM ${vm.key} has no disk on ${image}`, {
      details: { image },
    });
  const id = `fill-${node}`.slice(0, 31);
  const left = (await jobOf(vm, id))?.status;
  if (left === 'concluded') await vm.qmp('job-dismiss', { id }, { signal });
  if (left === undefined || left === 'concluded')
    await vm.qmp('block-stream', { 'job-id': id, device: node, 'auto-dismiss': false }, { signal });
  for (;;) {
    const job = await jobOf(vm, id);
    if (job === undefined)
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `somebody took the job that filled ${image} away: whether it ended is not known`,
        {
          details: { image },
        },
      );
    onProgress?.(job['current-progress'], job['total-progress']);
    if (job.status === 'concluded') {
      await vm.qmp('job-dismiss', { id });
      throwIfAborted(signal);
      if (job.error === undefined) return;
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `filling ${image} ended early: ${job.error}; the VM goes on over the backup`,
        {
          details: { image },
        },
      );
    }
    if (signal?.aborted) await vm.qmp('job-cancel', { id }).catch(() => undefined);
    await delay(LOOK_EVERY_MS);
  }
}

/** The job of ours, whichever process began it. */
async function jobOf(vm: Vm, id: string): Promise<z.infer<typeof jobs>[number] | undefined> {
  return jobs.parse(await vm.qmp('query-jobs')).find((one) => one.id === id && one.type === 'stream');
}

/** The node on the image; by what the file is, whatever it is called. */
async function nodeOf(vm: Vm, image: string, signal: AbortSignal | undefined): Promise<string | null> {
  const wanted = await fileIdentity(image);
  for (const { node, filename } of await vm.disks({ signal }))
    if (
      node !== undefined &&
      filename?.startsWith('/') &&
      wanted !== null &&
      (await fileIdentity(filename)) === wanted
    )
      return node;
  return null;
}
