/** How much a backup into a folder would move, without beginning one: the same choice of a base, the maps as of now. */

import type { CallOptions } from '../core/callOptions.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import type { DiskName } from '../core/ids.js';
import { type Checks, checkOptions, flag, required, text } from '../core/options.js';
import { within } from '../core/within.js';
import { checkedSource } from './checkedSource.js';
import { chooseBase, type Verdict, verdictOf } from './chooseBase.js';
import { BackupFolder, folderExists } from './folder.js';
import { CALL, CLAIM, source as checkSource } from './options.js';
import { type ClaimOptions, claimFolder } from './owner.js';
import { type Place, placeDisks } from './series.js';
import type { BackupSource, DiskIdentity, FailedDisk } from './source.js';

/** What a backup of a disk would be now. `changedBytes` is what the map tells; a copy is widened to clusters of 64 KiB. */
export type DiskEstimate = Verdict & {
  disk: DiskName;
  sizeBytes: number;
  /** The run it would build on; null for a full one. */
  base: { run: number; pit: string } | null;
  changedBytes: number;
  error?: undefined;
};

/** An estimate, or why there is none. */
export type EstimateOutcome = DiskEstimate | FailedDisk;

/** The folder that a backup would go to, and how. */
export interface EstimateOptions extends ClaimOptions, CallOptions {
  /** Folder of the backup; it need not be there yet. */
  to: string;
  /** As if everything were to be copied. */
  full?: boolean | undefined;
}

const NEW: Place = { series: null, by: null, twin: null, joins: null };

const ESTIMATE: Checks<EstimateOptions> = {
  ...CLAIM,
  to: required(text),
  full: flag,
  ...CALL,
};

/**
 * Chooses bases as a run would, and counts; nothing is begun and nothing written. A source that the folder is not of is refused, as a run is.
 * @param given What would be backed up.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * import { connectVm } from 'qemu-cbt';
 * await using vm = await connectVm('/run/vms/web.qmp');
 * for (const outcome of await estimate(vmSource(vm), { to: '/backup/web' })) console.log(outcome);
 * ```
 */
export async function estimate(given: BackupSource, options: EstimateOptions): Promise<EstimateOutcome[]> {
  checkSource(given, 'source');
  checkOptions('estimate', options, ESTIMATE);
  return within('estimate', options, (own = options) => estimateAll(checkedSource(given), own));
}

async function estimateAll(source: BackupSource, options: EstimateOptions): Promise<EstimateOutcome[]> {
  const { to, full = false, signal, as } = options;
  throwIfAborted(signal);
  const facts = await source.facts(signal);
  const found = (await folderExists(to)) ? await BackupFolder.read(to) : null;
  const claim = found === null ? null : await claimFolder(found, facts, options, new Date());
  const places =
    claim === null
      ? null
      : await placeDisks(claim.folder, claim.owner, facts, { ...(as !== undefined && { as }) });
  const outcomes: EstimateOutcome[] = [];
  for (const known of facts.disks) {
    const { disk } = known;
    try {
      if (known.error !== undefined) throw known.error;
      const place = places?.get(disk) ?? NEW;
      outcomes.push(
        await estimateDisk(source, known, place, { folder: claim?.folder ?? null, full, signal }),
      );
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
      outcomes.push({ disk, error: error.about(disk) });
    }
  }
  return outcomes;
}

async function estimateDisk(
  source: BackupSource,
  { disk, sizeBytes, epoch, points }: DiskIdentity,
  place: Place,
  { folder, full, signal }: { folder: BackupFolder | null; full: boolean; signal: AbortSignal | undefined },
): Promise<DiskEstimate> {
  const opened = await source.openDisk(disk, signal);
  try {
    const choice = await chooseBase({
      folder,
      place,
      epoch,
      points,
      lost: null,
      full,
      changes: (from, selection) => opened.changes({ ...selection, from }),
      allocated: (selection) => opened.allocated(selection),
      selection: { signal },
    });
    const { base, map } = choice;
    return {
      disk,
      sizeBytes,
      ...verdictOf(choice),
      base: base === null ? null : { run: base.run.run, pit: base.run.pit },
      changedBytes: await map.changedBytes(),
    };
  } finally {
    await opened.close();
  }
}
