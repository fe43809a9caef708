/** `qemu-cbt verify`: a backup folder by itself, or the change map against the disk it was taken from. */
import { type VerifyResult, verify } from '../../backup/verify.js';
import { type MapVerdict, verifyAgainst } from '../../backup/verifyAgainst.js';
import { type CbtError, invalidArgument } from '../../core/errors.js';
import { exitCodeOf } from '../exitCode.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { errorJson, errorLine, type SourceFlags, withSource } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface VerifyFlags extends SourceFlags {
  from: string;
  depth?: 'manifest' | 'data' | 'map';
}

export async function verifyCommand(
  io: CliIo,
  images: readonly string[],
  flags: VerifyFlags,
): Promise<number> {
  const against = flags.vm !== undefined || images.length > 0;
  const depth = flags.depth ?? (against ? 'map' : 'data');
  if (depth !== 'map' && against)
    throw invalidArgument('--depth', depth, 'map, where a VM or images are given');
  const bar = new TransferProgress(io, 'verify', { json: flags.json ?? false });
  const options = { from: flags.from, signal: io.signal, onProgress: bar.update };
  try {
    if (depth === 'map') {
      const verdicts = await withSource(io, images, flags, (source) => verifyAgainst(source, options));
      bar.end();
      return await tellMap(io, flags, verdicts);
    }
    const result = await verify({ ...options, depth });
    bar.end();
    return await tellFolder(io, flags, result);
  } finally {
    bar.end();
  }
}

async function tellFolder(io: CliIo, { json, from }: VerifyFlags, result: VerifyResult): Promise<number> {
  const { runs, layers, checkedBytes, problems, notes } = result;
  if (json) {
    const told = problems.map(({ error, ...rest }) => ({ ...rest, error: errorJson(error) }));
    await tellJson(io, { sound: problems.length === 0, runs, layers, checkedBytes, problems: told, notes });
  } else {
    for (const { file, error } of problems) io.stderr.write(errorLine(file, error));
    for (const { file, message } of notes) io.stderr.write(`note: ${printable(file)}: ${message}\n`);
    const verdict = problems.length === 0 ? 'sound' : `${problems.length} problem(s)`;
    await tell(
      io,
      `${printable(from)}: ${verdict}; ${runs} run(s), ${layers} layer(s), ${formatBytes(checkedBytes)} compared with their sums\n`,
    );
  }
  return exitOf(problems.map(({ error }) => error));
}

async function tellMap(io: CliIo, { json }: VerifyFlags, verdicts: readonly MapVerdict[]): Promise<number> {
  if (json) {
    const disks = verdicts.map(({ error, ...rest }) => ({
      ...rest,
      ...(error !== undefined && { error: errorJson(error) }),
    }));
    await tellJson(io, { sound: verdicts.every(({ error }) => error === undefined), disks });
  } else {
    for (const verdict of verdicts) {
      if (verdict.error !== undefined) io.stderr.write(errorLine(verdict.disk, verdict.error));
      if (!('comparedBytes' in verdict) || verdict.error !== undefined) continue;
      await tell(
        io,
        `${printable(verdict.disk)}: the map since run ${verdict.run} names ${formatBytes(verdict.mappedBytes)}; the other ${formatBytes(verdict.comparedBytes)} are as they were\n`,
      );
    }
  }
  return exitOf(verdicts.flatMap(({ error }) => (error === undefined ? [] : [error])));
}

function exitOf([first]: readonly CbtError[]): number {
  return first === undefined ? 0 : exitCodeOf(first);
}
