/** `qemu-cbt prune`: keeps runs by rules, and forgets the points in time of the others in the disks' chains as well. */
import { resolve } from 'node:path';
import { type PruneResult, prune } from '../../backup/prune.js';
import { CbtError } from '../../core/errors.js';
import type { TrackingOutcome } from '../../core/tracking.js';
import { ImageTracking } from '../../imageTracking.js';
import { connectVm } from '../../vm.js';
import { type CliIo, write, writeJson } from '../io.js';
import { parseCount } from '../options.js';
import { printable, warn } from '../report.js';
import { checkSource, type SourceFlags } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface PruneFlags extends SourceFlags {
  from: string;
  keepLast?: string;
  keepDaily?: string;
  keepWeekly?: string;
  dryRun?: boolean;
}

type Forget = (pit: string, disk: string) => Promise<void>;

export async function pruneCommand(io: CliIo, images: readonly string[], flags: PruneFlags): Promise<number> {
  const count = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseCount(option, text);
  const rules = {
    last: count('--keep-last', flags.keepLast),
    daily: count('--keep-daily', flags.keepDaily),
    weekly: count('--keep-weekly', flags.keepWeekly),
  };
  const bar = new TransferProgress(io, 'prune', { json: flags.json ?? false });
  const result = await withForget(io, images, flags, (forget) =>
    prune({
      from: flags.from,
      rules,
      dryRun: flags.dryRun,
      forget,
      signal: io.signal,
      onProgress: bar.update,
    }),
  ).finally(() => bar.end());
  if (flags.json) await writeJson(io, { ...result, dryRun: flags.dryRun ?? false });
  else {
    for (const warning of result.warnings) warn(io, warning);
    await write(io.stdout, describe(result, flags.dryRun ?? false));
  }
  return 0;
}

async function withForget<T>(
  io: CliIo,
  images: readonly string[],
  flags: PruneFlags,
  work: (forget: Forget | undefined) => Promise<T>,
): Promise<T> {
  if (flags.vm === undefined && images.length === 0) return work(undefined);
  checkSource(images, flags);
  if (flags.vm === undefined) {
    const known = images.map((image) => resolve(image));
    return work(async (pit, disk) => {
      if (!known.includes(disk)) throw notGiven(disk);
      ignoreUnknown(await new ImageTracking([disk]).forget(pit));
    });
  }
  await using vm = await connectVm(flags.vm, { signal: io.signal, nbdSocket: flags.nbdSocket });
  return await work(async (pit, disk) => {
    if (flags.disk !== undefined && !flags.disk.includes(disk)) throw notGiven(disk);
    ignoreUnknown(await vm.forget(pit, { disks: [disk] }));
  });
}

function notGiven(disk: string): CbtError {
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', 'the disk is not among those given', { disk });
}

/** A point that is not there is as good as forgotten. */
function ignoreUnknown({ disks }: TrackingOutcome): void {
  const error = disks.find((disk) => disk.error !== undefined)?.error;
  if (error !== undefined && error.reason !== 'UNKNOWN_PIT') throw error;
}

function describe({ kept, layers, forgotten, waiting }: PruneResult, dryRun: boolean): string {
  const lines = layers.map(({ run, disk, action, into }) => {
    const what = `run ${run}, ${printable(disk)}`;
    if (action === 'kept') return `${what}: kept, two runs build on it`;
    const would = dryRun ? 'would be ' : '';
    return `${what}: ${would}${action === 'merged' ? `merged into run ${into}` : 'removed'}`;
  });
  lines.push(`runs kept: ${kept.join(', ')}`);
  if (forgotten.length > 0) lines.push(`points in time forgotten on the disks: ${forgotten.length}`);
  if (waiting.length > 0)
    lines.push(`points in time still on the disks: ${waiting.length} (prune with --vm or the images)`);
  return `${lines.join('\n')}\n`;
}
