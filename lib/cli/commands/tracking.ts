/** `enable`, `begin`, `commit`, `rollback`, `forget`, `reset`, `disable`: on a running VM, or on images that no VM uses. */
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { OnProgress } from '../../core/progress.js';
import type { Session, SessionDisk } from '../../core/session.js';
import type { DiskOutcome } from '../../core/tracking.js';
import type { BeginVmOptions, Vm } from '../../core/vm.js';
import { exitCodeOf } from '../exitCode.js';
import type { FormatFlags } from '../formatOptions.js';
import { withHostFile } from '../inventory.js';
import { type CliIo, deliver, tell } from '../io.js';
import { parseBytes } from '../options.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { openSource, quiesceOf, requireImages } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface TrackingFlags extends FormatFlags {
  vm?: string;
  disk?: string[] | undefined;
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
  scratchPlaces?: readonly string[];
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
  checkWhat(images, flags);
  const { flags: named, host } = await withHostFile(io, flags);
  // A session ends on all its disks, whichever the host file names.
  const ends = (name === 'commit' || name === 'rollback') && flags.disk === undefined;
  const asked = ends ? { ...named, disk: undefined } : named;
  // A monitor serves one client at a time: it is left as soon as the work is done, and sessions stay in QEMU.
  const withVm = async <T>(work: (vm: Vm) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    await using vm = await openSource(images, asked, host, signal);
    return await work(vm);
  };
  const outcome: Outcome = await withVm((vm) => act(vm, name, asked, io.signal, bar.update), io.signal)
    .catch(refusedAsWhole)
    .finally(() => bar.end());
  const { pit, session } = outcome;
  const told = { ...(session !== undefined && { session }), pit };
  const { warnings = [] } = outcome;
  for (const warning of warnings) warn(io, warning);
  const text = flags.json
    ? `${JSON.stringify({ ...told, disks: outcome.disks.map(toJson) })}\n`
    : describe(name, outcome);
  if (outcome.session === undefined) await tell(io, text);
  else
    await deliverOrUndo(io, text, () =>
      withVm(async (vm) => (await vm.resume(outcome.session ?? '')).rollback()),
    );
  const errors = outcome.disks.flatMap((disk) => (disk.error === undefined ? [] : [disk.error]));
  if (!flags.json) for (const error of errors) io.stderr.write(`${describeError(error)}\n`);
  // The error that stopped the work, not those that say "nothing was done because of it".
  const cause = errors.find((error) => error.code !== 'ERR_CBT_NOT_DONE') ?? errors[0];
  return cause === undefined ? 0 : exitCodeOf(cause);
}

/** Every disk is told with its error, as where only some refused. */
function refusedAsWhole(thrown: unknown): Outcome {
  if (thrown instanceof CbtError && thrown.disks !== undefined) return { pit: null, disks: thrown.disks };
  throw thrown;
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

function checkWhat(images: readonly string[], flags: TrackingFlags): void {
  requireImages(flags);
  if (flags.vm !== undefined) {
    if (images.length === 0) return;
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
}

/** What only a running VM has is refused for images. */
function requireVm(option: string, given: unknown): void {
  if (given === undefined || given === false) return;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${option} is for a running VM: give --vm <socket>`);
}

async function act(
  vm: Vm,
  name: string,
  flags: TrackingFlags,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<Outcome> {
  const { pit, session = '', disk: disks } = flags;
  const granularityBytes =
    flags.granularity === undefined ? undefined : parseBytes('--granularity', flags.granularity);
  switch (name) {
    case 'enable':
      return vm.enable({ disks, pit, granularityBytes, signal });
    case 'reset':
      return vm.reset({ disks, pit, granularityBytes, signal });
    case 'disable':
      return vm.disable({ disks, signal });
    case 'begin':
      return toOutcome(await vm.begin({ ...beginOptions(flags), disks, detached: true, signal }));
    case 'commit':
      requireAllDisks(disks);
      return (await vm.resume(session, { signal })).commit({ signal, onProgress });
    case 'rollback':
      requireAllDisks(disks);
      return (await vm.resume(session, { signal })).rollback({ signal, onProgress });
    default:
      if (flags.point === undefined)
        throw invalidArgument('--point', 'missing', 'the point in time to forget');
      return vm.forget(flags.point, { disks, signal });
  }
}

function toOutcome({ pit, warnings, disks }: Session): Outcome {
  return { session: pit, pit, warnings, disks };
}

function requireAllDisks(disks: readonly string[] | undefined): void {
  if (disks !== undefined)
    throw invalidArgument('--disk', disks.join(', '), 'left out: a session ends on all its disks');
}

function beginOptions(flags: TrackingFlags): BeginVmOptions {
  const { pit, base, mode, nbdSocket, scratch: folder, scratchUnwatched } = flags;
  const quiesce = quiesceOf(flags);
  const limitBytes =
    flags.scratchLimit === undefined ? undefined : parseBytes('--scratch-limit', flags.scratchLimit);
  return {
    pit,
    base,
    mode,
    nbdSocket,
    ...(quiesce !== undefined && { quiesce }),
    scratch: { folder, limitBytes },
    allowUnwatchedScratch: scratchUnwatched,
  };
}

interface Told {
  error?: CbtError | undefined;
  message?: unknown;
  verdict?: string;
  unsafeExportUri?: string | undefined;
}

/** What scripts read: a verdict is `incremental` or `full`, and left out where there is none. */
function toJson(disk: DiskOutcome | SessionDisk): object {
  const told: Told = disk;
  const { error, message: _, verdict, unsafeExportUri, ...rest } = told;
  const copies = verdict === 'incremental' || verdict === 'full';
  const uri = unsafeExportUri !== undefined && { export: unsafeExportUri };
  const known = { ...rest, ...(copies && { verdict }), ...uri };
  if (error === undefined) return known;
  const { code, reason, message } = error;
  return { ...known, error: { code, reason: reason ?? null, message } };
}

function describe(name: string, outcome: Outcome): string {
  const lines: string[] = [];
  if (outcome.session !== undefined) lines.push(`session ${outcome.session}`);
  else if (outcome.pit !== null && name !== 'rollback') lines.push(`PIT ${outcome.pit}`);
  for (const disk of outcome.disks) {
    if (disk.error !== undefined) continue;
    const uri = 'verdict' in disk ? disk.unsafeExportUri : undefined;
    const size = 'verdict' in disk ? `  ${formatBytes(disk.sizeBytes)}` : '';
    const copy = 'verdict' in disk ? describeVerdict(disk) : '';
    const id = disk.changeId === undefined ? '' : `  changeId ${disk.changeId}`;
    const off = name === 'disable' ? ' not tracked any more' : '';
    lines.push(`${printable(disk.disk)}:${size}${copy}${id}${off}`);
    if (uri !== undefined) lines.push(`  ${uri}`);
  }
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function describeVerdict(disk: SessionDisk): string {
  switch (disk.verdict) {
    case 'full':
      return `  full${disk.reason ? ` [${disk.reason}]` : ''}`;
    case 'incremental':
      return `  incremental from ${disk.base}`;
    default:
      return '';
  }
}

function describeError(error: CbtError): string {
  const reason = error.reason === undefined ? '' : ` [${error.reason}]`;
  return `error[${error.code}] ${printable(`${error.disk ?? ''}: ${error.message}`)}${reason}`;
}
