/** `qemu-cbt map`: a picture of where a disk changed; in the terminal, or as an SVG file. */
import { type CliIo, write } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { bucketize } from '../picture/buckets.js';
import { drawSvg } from '../picture/svgMap.js';
import { cellsPerRow, drawTerminal } from '../picture/terminalMap.js';
import { ProgressBar } from '../progress.js';
import { warn } from '../report.js';
import { writeWholeFile } from '../wholeFile.js';

export interface MapFlags extends OpenOptions {
  from: string;
  to?: string;
  svg?: string;
}

const DEFAULT_COLUMNS = 80;
const TERMINAL_ROWS = 16;
const SVG_CELLS = 2048;

export async function map(io: CliIo, disk: string, flags: MapFlags): Promise<void> {
  const bar = new ProgressBar(io, 'reading');
  await using opened = await openForCommand(io, disk, flags);
  try {
    const changed = await opened.changes({
      from: flags.from,
      to: flags.to,
      signal: io.signal,
      onProgress: bar.update,
    });
    for (const warning of changed.warnings) warn(io, warning);
    if (flags.svg !== undefined) {
      const svg = drawSvg(await bucketize(changed, SVG_CELLS), changed);
      await writeWholeFile(flags.svg, (file) => file.writeFile(svg));
      return;
    }
    const columns = Math.max(40, Math.min(io.stdout.columns ?? DEFAULT_COLUMNS, 200));
    const colour = Boolean(io.stdout.isTTY) && (io.env['NO_COLOR'] ?? '') === '';
    const unicode = /utf-?8/i.test(io.env['LC_ALL'] || io.env['LC_CTYPE'] || io.env['LANG'] || '');
    const buckets = await bucketize(changed, cellsPerRow(columns) * TERMINAL_ROWS);
    bar.end();
    await write(io.stdout, drawTerminal(buckets, changed, { columns, colour, unicode }));
  } finally {
    bar.end();
  }
}
