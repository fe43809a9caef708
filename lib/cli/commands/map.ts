/** `qemu-cbt map`: a picture of where a disk changed; in the terminal, as an SVG file, or as a page with its whole timeline. */
import { invalidArgument } from '../../core/errors.js';
import type { TrackedDisk } from '../../core/trackedDisk.js';
import { type CliIo, write } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { writeOutput } from '../output.js';
import { bucketize } from '../picture/buckets.js';
import { drawSvg, SVG_CELLS } from '../picture/svgMap.js';
import { drawForTerminal } from '../picture/terminalMap.js';
import { ProgressBar } from '../progress.js';
import { warn } from '../report.js';
import { drawingOn } from '../terminalText.js';

export interface MapFlags extends OpenOptions {
  from?: string;
  to?: string;
  svg?: string;
  html?: string;
}

export async function map(io: CliIo, disk: string, flags: MapFlags): Promise<void> {
  const { from, to, svg: svgFile, html: htmlFile } = flags;
  if (from === undefined && htmlFile === undefined)
    throw invalidArgument('--from', 'missing', 'the earlier point, or --html for all points in time');
  const bar = new ProgressBar(io, 'reading');
  await using opened = await openForCommand(io, disk, flags);
  try {
    if (htmlFile !== undefined) {
      await writePage(io, opened, htmlFile, { from, to, onProgress: bar.update });
      return;
    }
    const changed = await opened.changes({
      from: from ?? '',
      to,
      signal: io.signal,
      onProgress: bar.onProgress,
    });
    for (const warning of changed.warnings) warn(io, warning);
    if (svgFile !== undefined) {
      const svg = drawSvg(await bucketize(changed, SVG_CELLS), changed);
      await writeOutput(svgFile, opened.disk, (file) => file.writeFile(svg));
      return;
    }
    const drawn = await drawForTerminal(io, changed);
    bar.end();
    await write(drawingOn(io.stdout), drawn);
  } finally {
    bar.end();
  }
}

/** The page is written also where no interval can be answered, since it says why; the command then fails as any question. */
async function writePage(
  io: CliIo,
  opened: TrackedDisk,
  file: string,
  options: { from?: string | undefined; to?: string | undefined; onProgress: ProgressBar['update'] },
): Promise<void> {
  const [{ readTimeline }, { drawHtml }] = await Promise.all([
    import('../picture/timeline/intervals.js'),
    import('../picture/timeline/htmlPage.js'),
  ]);
  const timeline = await readTimeline(opened, { ...options, signal: io.signal });
  const html = drawHtml(timeline, new Date());
  await writeOutput(file, opened.disk, (target) => target.writeFile(html));
  const warnings = new Set(
    timeline.intervals.flatMap(({ from, to, answer }) =>
      answer.known
        ? answer.warnings
        : [`${from.short} to ${to.short} cannot be answered: ${answer.error.message}`],
    ),
  );
  for (const warning of warnings) warn(io, warning);
  const [first] = timeline.intervals;
  if (first?.answer.known === false && timeline.intervals.every(({ answer }) => !answer.known))
    throw first.answer.error;
}
