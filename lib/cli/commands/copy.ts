/** `qemu-cbt copy`: a second place for a backup folder. */
import { type CopyFolderResult, copyFolder } from '../../backup/copying/copyFolder.js';
import { exitCodeOf } from '../exitCode.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { parseBytes } from '../options.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { errorJson, errorLine } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface CopyFlags {
  all?: boolean;
  rate?: string;
  json?: boolean;
}

export async function copyCommand(io: CliIo, from: string, to: string, flags: CopyFlags): Promise<number> {
  const { all, rate, json = false } = flags;
  const bytesPerSecond = rate === undefined ? undefined : parseBytes('--rate', rate);
  const bar = new TransferProgress(io, 'copy', { json });
  const { signal } = io;
  const result = await copyFolder({
    from,
    to,
    all,
    bytesPerSecond,
    signal,
    onProgress: bar.update,
  }).finally(() => bar.end());
  const { problems, warnings } = result;
  if (json)
    await tellJson(io, {
      ...result,
      problems: problems.map(({ error, ...rest }) => ({ ...rest, error: errorJson(error) })),
    });
  else {
    for (const warning of warnings) warn(io, warning);
    for (const { file, error } of problems) io.stderr.write(errorLine(file, error));
    await tell(io, describe(result));
  }
  const [first] = problems;
  return first === undefined ? 0 : exitCodeOf(first.error);
}

function describe({ to, copied, runs, copiedBytes }: CopyFolderResult): string {
  const what =
    copied.length === 0
      ? 'nothing to copy'
      : `run ${copied.map(({ run }) => run).join(', ')} copied, ${formatBytes(copiedBytes)}`;
  return `${printable(to)}: ${what}; ${runs.length} run(s) there\n`;
}
