/** `enable`, `begin`, `commit`, `rollback`, `forget`, `reset` on images that no VM uses. */
import type { CbtError } from '../../core/errors.js';
import type { BeginOutcome, DiskOutcome } from '../../core/tracking.js';
import { ImageTracking } from '../../imageTracking.js';
import { exitCodeOf } from '../exitCode.js';
import { type CliIo, write, writeJson } from '../io.js';
import { parseBytes } from '../options.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';

export interface TrackingFlags {
  json?: boolean;
  pit?: string;
  base?: string;
  session?: string;
  point?: string;
  granularity?: string;
}

interface Outcome {
  pit: string | null;
  session?: string;
  disks: (DiskOutcome | BeginOutcome)[];
}

/** Runs one of the commands; its result always lists every image, a failed one with its error. */
export async function runTracking(
  io: CliIo,
  name: string,
  images: string[],
  flags: TrackingFlags,
): Promise<number> {
  const outcome = await act(new ImageTracking(images), name, flags, io.signal);
  if (flags.json) await writeJson(io, { ...outcome, disks: outcome.disks.map(toJson) });
  else await write(io.stdout, describe(name, outcome));
  const errors = outcome.disks.flatMap((disk) => (disk.error === undefined ? [] : [disk.error]));
  if (!flags.json) for (const error of errors) io.stderr.write(`${describeError(error)}\n`);
  // The error that stopped the work, not those that say "nothing was done because of it".
  const cause = errors.find((error) => error.code !== 'ERR_CBT_ABORTED') ?? errors[0];
  return cause === undefined ? 0 : exitCodeOf(cause);
}

async function act(
  tracking: ImageTracking,
  name: string,
  flags: TrackingFlags,
  signal: AbortSignal,
): Promise<Outcome> {
  const { pit, base, session = '', point = '' } = flags;
  const granularityBytes =
    flags.granularity === undefined ? undefined : parseBytes('--granularity', flags.granularity);
  switch (name) {
    case 'enable':
      return tracking.enable({ pit, granularityBytes, signal });
    case 'reset':
      return tracking.reset({ pit, granularityBytes, signal });
    case 'begin':
      return tracking.begin({ pit, base, signal });
    case 'commit':
      return tracking.commit(session, { signal });
    case 'rollback':
      return tracking.rollback(session, { signal });
    default:
      return tracking.forget(point, { signal });
  }
}

function toJson(disk: DiskOutcome | BeginOutcome): object {
  const { error, message: _, ...rest } = disk as BeginOutcome;
  if (error === undefined) return rest;
  const { code, reason, message } = error;
  return { ...rest, error: { code, reason: reason ?? null, message } };
}

function describe(name: string, outcome: Outcome): string {
  const lines: string[] = [];
  if (outcome.session !== undefined) lines.push(`session ${outcome.session}`);
  else if (outcome.pit !== null && name !== 'rollback') lines.push(`PIT ${outcome.pit}`);
  for (const disk of outcome.disks) {
    if (disk.error !== undefined) continue;
    const { sizeBytes, verdict, reason, base } = disk as BeginOutcome;
    const size = sizeBytes === undefined ? '' : `  ${formatBytes(sizeBytes)}`;
    const copy =
      verdict === undefined
        ? ''
        : verdict === 'full'
          ? `  full${reason ? ` [${reason}]` : ''}`
          : `  incremental from ${base}`;
    const id = disk.changeId === undefined ? '' : `  changeId ${disk.changeId}`;
    lines.push(`${printable(disk.disk)}:${size}${copy}${id}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function describeError(error: CbtError): string {
  const reason = error.reason === undefined ? '' : ` [${error.reason}]`;
  return `error[${error.code}] ${printable(`${error.disk ?? ''}: ${error.message}`)}${reason}`;
}
