/** `qemu-cbt restore --define`: a new domain over the disks of a run. What can be known is asked before they are restored. */
import type { Manifest } from '../../backup/manifest.js';
import { openForReading, runNamed, selectRun } from '../../backup/reading.js';
import type { RestoreRunResult } from '../../backup/restoreRun.js';
import { invalidArgument } from '../../core/errors.js';
import { defineDomain, requireNewDomain, type WantedDomain } from '../../host/defineDomain.js';
import { NOT_AS_WANTED } from '../exitCode.js';
import type { CliIo } from '../io.js';
import { printable, warn } from '../report.js';

/** What is asked for, and of which run. */
export interface DefineOver {
  to: string;
  run: Manifest;
  definition: string;
  how: Omit<WantedDomain, 'files'>;
}

/** Throws where no domain could be made of the run: nothing is restored then. */
export async function lookBeforeDefining(
  io: CliIo,
  { from, pit, define }: { from: string; pit: string | undefined; define: string },
  how: DefineOver['how'],
): Promise<DefineOver> {
  // A name alone is one of the default libvirt.
  const to = define.startsWith('libvirt:') ? define : `libvirt:#${define}`;
  await using opened = await openForReading(from);
  const run = selectRun(opened.folder, runNamed(pit));
  const { definition } = run.source;
  if (definition === undefined)
    throw invalidArgument('--define', to, `left out: run ${run.run} kept no XML of a libvirt domain`);
  const files = run.disks.map(({ disk, image = null }) => ({ disk, image, file: `/${disk}` }));
  await requireNewDomain(to, definition, { ...how, files }, { signal: io.signal });
  return { to, run, definition, how };
}

/** After the disks are restored: makes the domain, and tells what it lacks. The exit code; 0 where all disks are its own. */
export async function defineOver(
  io: CliIo,
  { to, run, definition, how }: DefineOver,
  { disks }: RestoreRunResult,
): Promise<number> {
  const failed = disks.filter(({ error }) => error !== undefined).map(({ disk }) => disk);
  if (failed.length > 0) {
    warn(io, `no domain is defined: ${failed.join(', ')} of run ${run.run} could not be restored`);
    return NOT_AS_WANTED;
  }
  const imageOf = new Map(run.disks.map(({ disk, image = null }) => [disk, image]));
  const files = disks.map(({ disk, file }) => ({ disk, file, image: imageOf.get(disk) ?? null }));
  const options = { signal: io.signal };
  const { missing, left, unused } = await defineDomain(to, definition, { ...how, files }, options);
  io.stderr.write(
    `${printable(to)} is defined${missing.length === 0 ? '' : `, without ${printable(missing.join(', '))}`}\n`,
  );
  for (const what of left) warn(io, `${what} is left out: a plain VM does not need it (--trust keeps it)`);
  for (const { disk, file } of unused)
    warn(
      io,
      `${file} is attached to nothing: the XML that run ${run.run} kept has no such disk as ${disk} was`,
    );
  return unused.length === 0 ? 0 : NOT_AS_WANTED;
}
