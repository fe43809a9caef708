/** `qemu-cbt restore`: a disk as it was at a run, checked as it is read. */
import { runNamed } from '../../backup/reading.js';
import { type RestoreResult, restore } from '../../backup/restore.js';
import { type RestoreRunResult, restoreRun } from '../../backup/restoreRun.js';
import { invalidArgument } from '../../core/errors.js';
import { whatIsNotInABackup } from '../../host/defineDomain.js';
import { exitCodeOf, NOT_AS_WANTED, worseOf } from '../exitCode.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { errorJson, errorLine } from '../sourceFlags.js';
import { type TlsFlags, tlsOf } from '../tlsFlags.js';
import { TransferProgress } from '../transferProgress.js';
import { defineOver, lookBeforeDefining } from './restoreDefine.js';

export interface RestoreFlags extends TlsFlags {
  from: string;
  to?: string;
  onto?: string;
  toFolder?: string;
  define?: string;
  sameIdentity?: boolean;
  pit?: string;
  disk?: string;
  format?: 'raw' | 'qcow2';
  trust?: boolean;
  instant?: boolean;
  vm?: string;
  force?: boolean;
  json?: boolean;
}

export async function restoreCommand(io: CliIo, flags: RestoreFlags): Promise<number> {
  const { json = false, from, pit, format, force, to, toFolder } = flags;
  const tls = tlsOf(flags);
  const { onto, define, sameIdentity } = flags;
  if (define !== undefined && toFolder === undefined)
    throw invalidArgument(
      '--define',
      define,
      'given with --to-folder: a domain is made over all disks of a run',
    );
  if (sameIdentity !== undefined && define === undefined)
    throw invalidArgument('--same-identity', sameIdentity, 'given with --define');
  if (onto === undefined && define === undefined && flags.trust !== undefined)
    throw invalidArgument(
      '--trust',
      flags.trust,
      'left out: it is for images that are there (--onto), and for the XML of --define',
    );
  if (onto !== undefined) {
    if (tls !== undefined) throw invalidArgument('--onto', onto, 'an NBD URI (--to) where TLS is asked for');
    const { restoreOntoCommand } = await import('./restoreOnto.js');
    return restoreOntoCommand(io, { ...flags, onto });
  }
  if (flags.instant) {
    const { restoreInstantCommand } = await import('./restoreInstant.js');
    return restoreInstantCommand(io, flags);
  }
  if (flags.vm !== undefined) throw invalidArgument('--vm', flags.vm, 'left out without --instant');
  const bar = new TransferProgress(io, 'restore', { json });
  const common = { from, at: runNamed(pit), format, force, signal: io.signal, onProgress: bar.update };
  if (toFolder !== undefined) {
    if (tls !== undefined)
      throw invalidArgument('--to-folder', toFolder, 'an NBD URI (--to) where TLS is asked for');
    const how = { format: format ?? 'qcow2', sameIdentity, trust: flags.trust };
    const over = define === undefined ? null : await lookBeforeDefining(io, { from, pit, define }, how);
    // The run that was looked at: another one may have been added.
    const which = over === null ? {} : { at: { run: over.run.run } };
    const result = await restoreRun({ ...common, ...which, toFolder }).finally(() => bar.end());
    const code = await tellRun(io, result, json);
    const defined = over === null ? 0 : await defineOver(io, over, result);
    return worseOf(code, defined);
  }
  if (to === undefined)
    throw invalidArgument(
      '--to',
      'missing',
      'a file, a block device or an NBD URI, or --to-folder, or --onto',
    );
  const result = await restore({ ...common, to, disk: flags.disk, tls }).finally(() => bar.end());
  if (json) await tellJson(io, { ...result, to });
  else await tell(io, describe(result, to));
  return 0;
}

async function tellRun(
  io: CliIo,
  { run, pit, disks, missing, definition }: RestoreRunResult,
  json: boolean,
): Promise<number> {
  const told = disks.map(({ error, ...rest }) =>
    error === undefined ? rest : { ...rest, error: errorJson(error) },
  );
  if (json)
    await tellJson(io, { run, pit, disks: told, missing, ...(definition !== undefined && { definition }) });
  for (const disk of json ? [] : disks) {
    if (disk.error === undefined) await tell(io, describe({ ...disk, run, pit }, disk.file));
    else io.stderr.write(errorLine(disk.disk, disk.error));
  }
  for (const { disk, message } of json ? [] : missing) warn(io, `${disk} is not in run ${run}: ${message}`);
  for (const what of definition === undefined ? [] : whatIsNotInABackup(definition))
    warn(io, `${what} is not in the backup`);
  const [first] = disks.flatMap(({ error }) => error ?? []);
  if (first !== undefined) return exitCodeOf(first);
  // What was asked for is all disks of the VM.
  return missing.length === 0 ? 0 : NOT_AS_WANTED;
}

function describe({ disk, run, pit, sizeBytes, writtenBytes }: RestoreResult, to: string): string {
  return `${printable(disk)} of run ${run}, point in time ${pit}: ${formatBytes(sizeBytes)}, ${formatBytes(writtenBytes)} of data written to ${printable(to)}\n`;
}
