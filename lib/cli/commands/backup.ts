/** `qemu-cbt backup`: one run into a backup folder, with its verdict per disk. */
import { type BackupResult, backup, type DiskResult } from '../../backup/backup.js';
import { exitCodeOf, NOT_AS_WANTED } from '../exitCode.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { parseBytes, parseCount } from '../options.js';
import { BackupPictures } from '../picture/backupPictures.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { errorJson, errorLine, type SourceFlags, withSource } from '../sourceFlags.js';
import { drawingOn } from '../terminalText.js';
import { TransferProgress } from '../transferProgress.js';

export interface BackupFlags extends SourceFlags {
  to: string;
  all?: boolean;
  full?: boolean;
  strict?: boolean;
  adopt?: boolean;
  as?: string;
  rate?: string;
  jobs?: string;
  map?: boolean;
  mapSvg?: string;
}

export async function backupCommand(
  io: CliIo,
  images: readonly string[],
  flags: BackupFlags,
): Promise<number> {
  const { json, exitCode } = await backupOnce(io, images, flags);
  if (flags.json) await tellJson(io, json);
  return exitCode;
}

/** How a run ended. */
export interface BackupOutcome {
  json: object;
  exitCode: number;
  result: BackupResult;
  seconds: number;
}

/** One run; without `--json` it is told as it ends. */
export async function backupOnce(
  io: CliIo,
  images: readonly string[],
  flags: BackupFlags,
): Promise<BackupOutcome> {
  const { json = false } = flags;
  const bytesPerSecond = flags.rate === undefined ? undefined : parseCountOfBytes(flags.rate);
  const jobs = flags.jobs === undefined ? undefined : parseCount('--jobs', flags.jobs);
  const bar = new TransferProgress(io, 'backup', { json });
  const pictures = new BackupPictures(io, flags);
  const started = performance.now();
  const result = await withSource(io, images, flags, (source) =>
    backup(source, {
      to: flags.to,
      full: flags.full,
      adopt: flags.adopt,
      as: flags.as,
      jobs,
      bytesPerSecond,
      signal: io.signal,
      onDisk: pictures.draw,
      onProgress: bar.update,
    }),
  ).finally(() => bar.end());
  const seconds = (performance.now() - started) / 1000;
  if (!json) {
    for (const warning of result.warnings) warn(io, warning);
    await summarise(io, result, seconds, pictures);
    for (const disk of result.disks)
      if (disk.error !== undefined) io.stderr.write(errorLine(disk.disk, disk.error));
  }
  await pictures.writeFiles(result.disks);
  const failed = result.disks.find((disk) => disk.error !== undefined);
  const unwanted = flags.strict ? result.disks.filter(isFullForALoss) : [];
  for (const { disk } of unwanted)
    warn(io, `${disk}: full where an incremental backup was wanted (--strict)`);
  const notAsWanted = unwanted.length > 0 ? NOT_AS_WANTED : 0;
  const exitCode = failed?.error !== undefined ? exitCodeOf(failed.error) : notAsWanted;
  return { json: { ...result, disks: result.disks.map(toJson), seconds }, exitCode, result, seconds };
}

/** The first run of a disk is full without a reason: nothing was lost. */
function isFullForALoss(disk: DiskResult): boolean {
  return disk.error === undefined && disk.verdict === 'full' && disk.reason !== null;
}

function parseCountOfBytes(text: string): number {
  const value = parseBytes('--rate', text);
  return value > 0 ? value : parseCount('--rate', text);
}

function toJson(disk: DiskResult): object {
  if (disk.error !== undefined) return { disk: disk.disk, error: errorJson(disk.error) };
  const { reason, message, base, ...rest } = disk;
  return {
    ...rest,
    ...(reason !== null && { reason }),
    ...(message !== null && { message }),
    ...(base !== null && { base }),
  };
}

async function summarise(
  io: CliIo,
  { run, pit, disks }: BackupResult,
  seconds: number,
  pictures: BackupPictures,
): Promise<void> {
  if (run === null) return;
  await tell(io, `run ${run}, point in time ${pit}, ${seconds.toFixed(1)} s\n`);
  for (const disk of disks) {
    if (disk.error !== undefined) continue;
    const { verdict, reason, message, base, changedBytes, storedBytes } = disk;
    const why = [reason === null ? '' : ` [${reason}]`, message === null ? '' : `: ${message}`].join('');
    const how = verdict === 'full' ? `full${why}` : `incremental on run ${base?.run}${why}`;
    const copied = `${formatBytes(changedBytes)} ${verdict === 'full' ? 'hold data' : 'changed'}`;
    const stored = `${formatBytes(storedBytes)} stored in ${printable(disk.file)}`;
    await tell(io, `${printable(disk.disk)}: ${printable(how)}\n  ${copied}, ${stored}\n`);
    const picture = pictures.inSummary(disk.disk);
    if (picture !== null) await tell({ ...io, stdout: drawingOn(io.stdout) }, `\n${picture}\n`);
  }
}
