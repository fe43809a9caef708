/** `qemu-cbt prune`: keeps runs by rules, and forgets the points in time of the others in the disks' chains as well. */
import { type PruneResult, prune } from '../../backup/prune.js';
import type { BackupSource } from '../../backup/source.js';
import { invalidArgument } from '../../core/errors.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { COUNTED_FLAGS, type KeepFlags, rulesOf } from '../keepFlags.js';
import { printable, warn } from '../report.js';
import { type SourceFlags, withSource } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface PruneFlags extends SourceFlags, KeepFlags {
  from: string;
  dryRun?: boolean;
}

export async function pruneCommand(io: CliIo, images: readonly string[], flags: PruneFlags): Promise<number> {
  const rules = rulesOf(flags);
  if (rules === null) throw invalidArgument('--keep-last', 'missing', `at least one of ${COUNTED_FLAGS}`);
  const bar = new TransferProgress(io, 'prune', { json: flags.json ?? false });
  const work = (source: BackupSource | undefined): Promise<PruneResult> =>
    prune({
      from: flags.from,
      rules,
      dryRun: flags.dryRun,
      source,
      signal: io.signal,
      onProgress: bar.update,
    });
  const alone = flags.vm === undefined && images.length === 0;
  const result = await (alone ? work(undefined) : withSource(io, images, flags, work)).finally(() =>
    bar.end(),
  );
  if (flags.json) await tellJson(io, { ...result, dryRun: flags.dryRun ?? false });
  else {
    for (const warning of result.warnings) warn(io, warning);
    await tell(io, describe(result, flags.dryRun ?? false));
  }
  return 0;
}

function describe({ kept, layers, forgotten, waiting }: PruneResult, dryRun: boolean): string {
  const lines = layers.map(({ run, disk, action, into, because }) => {
    const what = `run ${run}, ${printable(disk)}`;
    if (action === 'kept') return `${what}: kept, ${printable(because ?? 'it has to stay')}`;
    const would = dryRun ? 'would be ' : '';
    return `${what}: ${would}${action === 'merged' ? `merged into run ${into}` : 'removed'}`;
  });
  lines.push(`runs kept: ${kept.join(', ')}`);
  if (forgotten.length > 0) lines.push(`points in time forgotten on the disks: ${forgotten.length}`);
  if (waiting.length > 0)
    lines.push(`points in time still on the disks: ${waiting.length} (prune with --vm or the images)`);
  return `${lines.join('\n')}\n`;
}
