/** `qemu-cbt estimate`: how much a backup would copy, asked without beginning one. */
import { resolve } from 'node:path';
import { type EstimateOutcome, estimate } from '../../backup/estimate.js';
import { exitCodeOf } from '../exitCode.js';
import { type CliIo, write, writeJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { errorJson, errorLine, type SourceFlags, withSource } from '../sourceFlags.js';

export interface EstimateFlags extends SourceFlags {
  to: string;
  full?: boolean;
  adopt?: boolean;
  as?: string;
}

export async function estimateCommand(
  io: CliIo,
  images: readonly string[],
  flags: EstimateFlags,
): Promise<number> {
  const { to, full, adopt, as } = flags;
  const estimates = await withSource(io, images, flags, (source) =>
    estimate(source, { to, full, adopt, as, signal: io.signal }),
  );
  if (flags.json) {
    const disks = estimates.map((told) =>
      told.error !== undefined ? { disk: told.disk, error: errorJson(told.error) } : told,
    );
    await writeJson(io, { to: resolve(flags.to), disks });
  } else {
    for (const told of estimates) {
      if (told.error !== undefined) io.stderr.write(errorLine(told.disk, told.error));
      else await write(io.stdout, describe(told));
    }
  }
  const failed = estimates.find((told) => told.error !== undefined);
  return failed?.error !== undefined ? exitCodeOf(failed.error) : 0;
}

function describe(told: Exclude<EstimateOutcome, { error: unknown }>): string {
  const { disk, verdict, reason, message, base, changedBytes, sizeBytes } = told;
  const why = `${reason === null ? '' : ` [${reason}]`}${message === null ? '' : `: ${message}`}`;
  const how = verdict === 'full' ? 'full' : `incremental on run ${base?.run}`;
  return `${printable(disk)}: ${formatBytes(changedBytes)} of ${formatBytes(sizeBytes)}, ${how}${printable(why)}\n`;
}
