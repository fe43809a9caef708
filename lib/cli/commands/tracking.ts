/** `enable`, `begin`, `commit`, `rollback`, `forget`, `reset`, `disable`: on a running VM, or on images that no VM uses. */
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { SessionDisk } from '../../core/session.js';
import type { BeginOutcome, DiskOutcome } from '../../core/tracking.js';
import type { BeginVmOptions } from '../../core/vm.js';
import { exitCodeOf } from '../exitCode.js';
import type { FormatFlags } from '../formatOptions.js';
import { withHostFile } from '../inventory.js';
import { type CliIo, deliver, tell } from '../io.js';
import { parseBytes } from '../options.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { requireImages, trackImages } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';
import { type CommandTracking, requireVm, vmTracking } from '../vmTracking.js';

export interface TrackingFlags extends FormatFlags {
  vm?: string;
  disk?: string[];
  json?: boolean;
  pit?: string;
  base?: string;
  session?: string;
  point?: string;
  granularity?: string;
  mode?: 'fleece' | 'overlay';
  quiesce?: boolean;
  agent?: string;
  scratch?: string;
  scratchLimit?: string;
  scratchUnwatched?: boolean;
  nbdSocket?: string;
}

interface Outcome {
  pit: string | null;
  session?: string;
  warnings?: readonly string[];
  disks: readonly (DiskOutcome | SessionDisk)[];
}

/** Runs one of the commands; its result always lists every disk, a failed one with its error. */
export async function runTracking(
  io: CliIo,
  name: string,
  images: string[],
  flags: TrackingFlags,
): Promise<number> {
  // `forget <point> --vm …`: with a VM there is no image, so the word is the point.
  const [point, ...others] = images;
  if (name === 'forget' && flags.vm !== undefined && flags.point === undefined && point !== undefined)
    return runTracking(io, name, others, { ...flags, point });
  const bar = new TransferProgress(io, 'bringing back', { json: flags.json ?? false });
  const named = await withHostFile(io, flags);
  // A session ends on all its disks, whichever the host file names.
  const { disk: _, ...ending } = named;
  const ends = (name === 'commit' || name === 'rollback') && flags.disk === undefined;
  const tracking = trackingOf(images, ends ? ending : named);
  const outcome = await act(tracking, name, named, io.signal, bar.update).finally(() => bar.end());
  const { warnings = [], ...told } = outcome;
  for (const warning of warnings) warn(io, warning);
  const text = flags.json
    ? `${JSON.stringify({ ...told, disks: outcome.disks.map(toJson) })}\n`
    : describe(name, outcome);
  if (outcome.session === undefined) await tell(io, text);
  else await deliverOrUndo(io, text, () => tracking.rollback(outcome.session ?? '', {}));
  const errors = outcome.disks.flatMap((disk) => (disk.error === undefined ? [] : [disk.error]));
  if (!flags.json) for (const error of errors) io.stderr.write(`${describeError(error)}\n`);
  // The error that stopped the work, not those that say "nothing was done because of it".
  const cause = errors.find((error) => error.code !== 'ERR_CBT_ABORTED') ?? errors[0];
  return cause === undefined ? 0 : exitCodeOf(cause);
}

/** A session of which nobody could be told would stay open for ever: it is rolled back. */
async function deliverOrUndo(io: CliIo, text: string, undo: () => Promise<unknown>): Promise<void> {
  try {
    await deliver(io.stdout, text);
  } catch (cause) {
    await undo();
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `the session was rolled back, because it could not be told: ${why}`;
    throw new CbtError('ERR_CBT_ABORTED', message, { cause });
  }
}

function trackingOf(images: readonly string[], flags: TrackingFlags): CommandTracking {
  requireImages(flags);
  if (flags.vm !== undefined) {
    if (images.length === 0) return vmTracking(flags.vm, flags.disk);
    throw invalidArgument('image', images.join(', '), 'left out beside --vm; name disks of a VM with --disk');
  }
  if (images.length === 0) throw invalidArgument('image', 'nothing', 'paths of images, or --vm <socket>');
  for (const [option, value] of [
    ['--disk', flags.disk],
    ['--mode', flags.mode],
    ['--quiesce', flags.quiesce],
    ['--agent', flags.agent],
    ['--scratch', flags.scratch],
    ['--scratch-limit', flags.scratchLimit],
    ['--scratch-unwatched', flags.scratchUnwatched],
    ['--nbd-socket', flags.nbdSocket],
  ] as const)
    requireVm(option, value);
  const tracking = trackImages(images, flags);
  return {
    enable: (options) => tracking.enable(options),
    reset: (options) => tracking.reset(options),
    disable: (options) => tracking.disable(options),
    forget: (point, options) => tracking.forget(point, options),
    // The other options are a VM's, and were refused.
    begin: ({ pit, base, signal }) => tracking.begin({ pit, base, signal }),
    // An image at rest has no overlay to bring back: nothing takes long.
    commit: (session, { signal }) => tracking.commit(session, { signal }),
    rollback: (session, { signal }) => tracking.rollback(session, { signal }),
  };
}

async function act(
  tracking: CommandTracking,
  name: string,
  flags: TrackingFlags,
  signal: AbortSignal,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<Outcome> {
  const { pit, session = '' } = flags;
  const granularityBytes =
    flags.granularity === undefined ? undefined : parseBytes('--granularity', flags.granularity);
  switch (name) {
    case 'enable':
      return tracking.enable({ pit, granularityBytes, signal });
    case 'reset':
      return tracking.reset({ pit, granularityBytes, signal });
    case 'disable':
      return tracking.disable({ signal });
    case 'begin':
      return tracking.begin({ ...beginOptions(flags), signal });
    case 'commit':
      return tracking.commit(session, { signal, onProgress });
    case 'rollback':
      return tracking.rollback(session, { signal, onProgress });
    default:
      if (flags.point === undefined)
        throw invalidArgument('--point', 'missing', 'the point in time to forget');
      return tracking.forget(flags.point, { signal });
  }
}

function beginOptions(flags: TrackingFlags): BeginVmOptions {
  const { pit, base, mode, nbdSocket, scratch: folder, scratchUnwatched } = flags;
  if (flags.quiesce && flags.agent === undefined)
    throw invalidArgument('--agent', 'missing', 'the guest agent’s socket, which --quiesce needs');
  const limitBytes =
    flags.scratchLimit === undefined ? undefined : parseBytes('--scratch-limit', flags.scratchLimit);
  return {
    pit,
    base,
    mode,
    nbdSocket,
    ...(flags.quiesce && flags.agent !== undefined && { quiesce: { agentSocket: flags.agent } }),
    scratch: { folder, limitBytes },
    allowUnwatchedScratch: scratchUnwatched,
  };
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
    const { sizeBytes, verdict, reason, base, export: uri } = disk as SessionDisk;
    const size = sizeBytes === undefined ? '' : `  ${formatBytes(sizeBytes)}`;
    const copy =
      verdict === undefined
        ? ''
        : verdict === 'full'
          ? `  full${reason ? ` [${reason}]` : ''}`
          : `  incremental from ${base}`;
    const id = disk.changeId === undefined ? '' : `  changeId ${disk.changeId}`;
    const off = name === 'disable' ? ' not tracked any more' : '';
    lines.push(`${printable(disk.disk)}:${size}${copy}${id}${off}`);
    if (uri !== undefined) lines.push(`  ${uri}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function describeError(error: CbtError): string {
  const reason = error.reason === undefined ? '' : ` [${error.reason}]`;
  return `error[${error.code}] ${printable(`${error.disk ?? ''}: ${error.message}`)}${reason}`;
}
