/** `qemu-cbt estimate`: how much a backup would copy, asked without beginning one. */
import { resolve } from 'node:path';
import { type EstimateOutcome, estimateDisk, readForEstimate } from '../../backup/estimate.js';
import type { TrackedDisk } from '../../core/trackedDisk.js';
import { openDisk } from '../../open.js';
import { connectVm } from '../../vm.js';
import { exitCodeOf } from '../exitCode.js';
import { type CliIo, write, writeJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable, toCbtError } from '../report.js';
import { checkSource, errorJson, errorLine, type SourceFlags } from '../sourceFlags.js';

export interface EstimateFlags extends SourceFlags {
  to: string;
  full?: boolean;
}

export async function estimate(io: CliIo, images: readonly string[], flags: EstimateFlags): Promise<number> {
  checkSource(images, flags);
  const folder = await readForEstimate(flags.to);
  const estimates: EstimateOutcome[] = [];
  const add = async (disk: string, open: () => Promise<TrackedDisk>): Promise<void> => {
    try {
      await using opened = await open();
      const told = await estimateDisk(opened, folder, { full: flags.full, signal: io.signal });
      estimates.push({ ...told, disk });
    } catch (thrown) {
      const error = toCbtError(thrown);
      if (error.code === 'ERR_CBT_ABORTED' || error.code === 'ERR_CBT_INTERNAL') throw error;
      estimates.push({ disk, error });
    }
  };
  if (flags.vm === undefined) {
    for (const path of images.map((image) => resolve(image)))
      await add(path, () => openDisk(path, { format: flags.format, signal: io.signal }));
  } else {
    await using vm = await connectVm(flags.vm, { signal: io.signal, nbdSocket: flags.nbdSocket });
    const all = await vm.disks({ signal: io.signal });
    const names = flags.disk ?? all.filter(({ trackable }) => trackable).map(({ disk }) => disk);
    for (const name of names) await add(name, () => vm.openDisk(name, { signal: io.signal }));
  }
  if (flags.json) {
    const disks = estimates.map((told) =>
      'error' in told ? { disk: told.disk, error: errorJson(told.error) } : told,
    );
    await writeJson(io, { to: resolve(flags.to), disks });
  } else {
    for (const told of estimates) {
      if ('error' in told) io.stderr.write(errorLine(told.disk, told.error));
      else await write(io.stdout, describe(told));
    }
  }
  const failed = estimates.find((told) => 'error' in told);
  return failed !== undefined && 'error' in failed ? exitCodeOf(failed.error) : 0;
}

function describe(told: Exclude<EstimateOutcome, { error: unknown }>): string {
  const { disk, verdict, reason, message, base, changedBytes, sizeBytes } = told;
  const why = `${reason === null ? '' : ` [${reason}]`}${message === null ? '' : `: ${message}`}`;
  const how = verdict === 'full' ? 'full' : `incremental on run ${base?.run}`;
  return `${printable(disk)}: ${formatBytes(changedBytes)} of ${formatBytes(sizeBytes)}, ${how}${printable(why)}\n`;
}
