/**
 * The map check on a disk in use: takes a session, compares what it shows with the newest run in the folder that its chain
 * knows, everywhere outside the change map between the two, and rolls the session back.
 */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from '../core/callOptions.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { type Checks, callback, checkOptions, required, text } from '../core/options.js';
import { type OnProgress, Progress } from '../core/progress.js';
import { type Logger, logger } from '../watch/logger.js';
import { checkedSource } from './checkedSource.js';
import { type CheckMapResult, checkMap } from './checkMap.js';
import { chooseBase } from './chooseBase.js';
import type { BackupFolder } from './folder.js';
import { CALL, source as checkSource } from './options.js';
import { openForReading } from './reading.js';
import { RunReader } from './runReader.js';
import { placeOfHistory } from './series.js';
import type { BackupSource, FailedDisk, SourceDisk } from './source.js';
import { toldBackup } from './told.js';

/** The folder whose newest runs are compared. */
export interface VerifyAgainstOptions extends CallOptions {
  /** Folder of the backup. */
  from: string;
  /** Told as bytes are compared, of all disks. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** What the comparison of a disk found; `error` with `ERR_CBT_MAP_MISMATCH` where the map missed a change, or why it could not be made. */
export type MapVerdict =
  | ({ disk: string; run: number; pit: string; error?: CbtError } & CheckMapResult)
  | { disk: string; error: CbtError };

const VERIFY_AGAINST: Checks<VerifyAgainstOptions> = {
  from: required(text),
  onProgress: callback,
  logger,
  ...CALL,
};

/**
 * Proves the change maps of a source against its content, in a session that is rolled back.
 * @param source What is backed up.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * import { connectVm } from 'qemu-cbt';
 * await using vm = await connectVm('/run/vms/web.qmp');
 * for (const verdict of await verifyAgainst(vmSource(vm), { from: '/backup/web' })) console.log(verdict);
 * ```
 */
export async function verifyAgainst(
  source: BackupSource,
  options: VerifyAgainstOptions,
): Promise<MapVerdict[]> {
  checkSource(source, 'source');
  checkOptions('verifyAgainst', options, VERIFY_AGAINST);
  const about = { folder: options.from, vm: source.vm };
  return toldBackup('verifyAgainst', about, options, (own) => compare(checkedSource(source), own));
}

async function compare(source: BackupSource, options: VerifyAgainstOptions): Promise<MapVerdict[]> {
  const { signal } = options;
  await using opened = await openForReading(options.from);
  const { folder } = opened;
  const session = await source.begin(randomUUID(), signal, { onlyLook: true });
  let left: FailedDisk[] = [];
  const verdicts: MapVerdict[] = [];
  try {
    const totalBytes = session.disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const progress = new Progress('compare', options.onProgress, { totalBytes });
    verdicts.push(...session.failed);
    for (const disk of session.disks) {
      try {
        verdicts.push(await compareDisk(folder, disk, signal, progress));
      } catch (error) {
        throwIfAborted(signal);
        if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
        verdicts.push({ disk: disk.disk, error: error.about(disk.disk) });
      }
    }
    for (const wrong of await session.check()) replaceVerdict(verdicts, wrong);
  } finally {
    left = await session.rollback();
  }
  for (const stays of left) replaceVerdict(verdicts, stays);
  return verdicts;
}

/** What is wrong with a disk counts, whatever was found of it before. */
function replaceVerdict(verdicts: MapVerdict[], { disk, error }: FailedDisk): void {
  const at = verdicts.findIndex((verdict) => verdict.disk === disk);
  verdicts.splice(at === -1 ? verdicts.length : at, 1, { disk, error });
}

async function compareDisk(
  folder: BackupFolder,
  disk: SourceDisk,
  signal: AbortSignal | undefined,
  progress: Progress,
): Promise<MapVerdict> {
  const { base, map, message } = await chooseBase({
    folder,
    // Whatever the disk is called: what is compared is its own history, at an instant that stands in it.
    place: placeOfHistory(folder, disk.epoch),
    epoch: disk.epoch,
    points: await disk.points(signal),
    lost: disk.lost,
    full: false,
    changes: (from, selection) => disk.changes(from, selection),
    allocated: (selection) => disk.allocated(selection),
    selection: { signal },
  });
  if (base === null) {
    throw new CbtError(
      'ERR_CBT_UNKNOWN_PIT',
      `no run in the folder has a point in time that this disk knows: ${message ?? 'it holds none'}`,
      { disk: disk.disk, reason: 'UNKNOWN_PIT' },
    );
  }
  await using before = await RunReader.open(folder, folder.stack(base.run, base.disk));
  const after = await disk.openData(signal);
  const onBytes = (bytes: number): void => progress.add(disk.disk, bytes);
  const result = await checkMap({ before, after, map, signal, onBytes }).finally(() => after.close());
  const verdict = { disk: disk.disk, run: base.run.run, pit: base.run.pit, ...result };
  const [first] = result.differences;
  if (first === undefined) return verdict;
  const error = new CbtError(
    'ERR_CBT_MAP_MISMATCH',
    `${result.differentBytes} bytes differ from run ${base.run.run} although the change map does not name them, the first at ${first.offset}+${first.length}; take a full backup, and report this`,
    { disk: disk.disk, details: { ...first, differentBytes: result.differentBytes } },
  );
  return { ...verdict, error };
}
