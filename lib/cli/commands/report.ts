/** `qemu-cbt report`: a page about a backup folder, for a person who was not there. */
import { listRuns } from '../../backup/listing/listRuns.js';
import { whereChanged } from '../../backup/listing/whereChanged.js';
import { CbtError } from '../../core/errors.js';
import { onFile } from '../../linux/fileFault.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import { type CliIo, tell, tellJson, write } from '../io.js';
import { parseCount } from '../options.js';
import { htmlReport } from '../picture/htmlReport.js';
import { printable } from '../report.js';

/** Parts of a disk in a strip. */
const PARTS = 64;

export interface ReportFlags {
  html: string;
  last: string;
  json?: boolean;
}

export async function reportCommand(
  io: CliIo,
  folder: string,
  { html, last, json }: ReportFlags,
): Promise<void> {
  const { signal } = io;
  const list = await listRuns({ from: folder, signal });
  if (list.runs.length === 0 && list.damaged.length === 0)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${list.folder} holds no backup`, {
      details: { path: list.folder },
    });
  const runs = list.runs.slice(-parseCount('--last', last));
  const places = await whereChanged(folder, new Set(runs.map(({ run }) => run)), PARTS, { signal });
  const page = htmlReport(list, runs, places, new Date());
  if (html === '-') return write(io.stdout, page);
  await onFile(html, 'writing', () => writeWholeFile(html, (file) => file.writeFile(page)));
  if (json) await tellJson(io, { folder: list.folder, html, runs: runs.map(({ run }) => run) });
  else
    await tell(
      io,
      `${printable(html)}: ${runs.length} of ${list.runs.length} runs of ${printable(list.folder)}\n`,
    );
}
