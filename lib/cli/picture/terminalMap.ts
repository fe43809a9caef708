/** The picture of a map in a terminal: a grid of shades, an offset at the start of each row, a legend, and it in words. */
import type { ChangeMap, ChangeMapFacts } from '../../core/changeMap.js';
import type { CliIo } from '../io.js';
import { type Buckets, bucketize, LEVEL_LABELS, levelOf, shareOf } from './buckets.js';
import { formatBytes } from './units.js';

export interface TerminalStyle {
  /** Width of the terminal; no line is wider. At least 40. */
  columns: number;
  colour: boolean;
  unicode: boolean;
}

const UNICODE = ['·', '░', '▒', '▓', '█', '█'];
const ASCII = ['.', '-', '+', 'o', 'O', '#'];
/** Five steps of one hue of the 256-colour palette, light to strong; readable on dark and on light. */
const COLOURS = [240, 75, 69, 63, 57, 93];

const DEFAULT_COLUMNS = 80;
const ROWS = 16;

/** Reads the map and draws it as this terminal can show it. */
export async function drawForTerminal(io: Pick<CliIo, 'stdout' | 'env'>, map: ChangeMap): Promise<string> {
  const columns = Math.max(40, Math.min(io.stdout.columns ?? DEFAULT_COLUMNS, 200));
  const colour = Boolean(io.stdout.isTTY) && (io.env['NO_COLOR'] ?? '') === '';
  const unicode = /utf-?8/i.test(io.env['LC_ALL'] || io.env['LC_CTYPE'] || io.env['LANG'] || '');
  return drawTerminal(await bucketize(map, cellsPerRow(columns) * ROWS), map, { columns, colour, unicode });
}

/** Columns left of the grid, for the offsets. */
const MARGIN = 11;

/** Cells in a row of the grid, for choosing the number of buckets. */
export function cellsPerRow(columns: number): number {
  return Math.max(8, columns - MARGIN - 1);
}

export function drawTerminal(buckets: Buckets, facts: ChangeMapFacts, style: TerminalStyle): string {
  const width = cellsPerRow(style.columns);
  const shades = style.unicode ? UNICODE : ASCII;
  const paint = (level: number, text: string): string =>
    style.colour ? `\x1b[38;5;${COLOURS[level] ?? 0}m${text}\x1b[0m` : text;

  const lines: string[] = [];
  for (let row = 0; row * width < buckets.changed.length; row += 1) {
    const offset = formatBytes(row * width * buckets.bytesPerBucket).padStart(MARGIN - 1);
    let cells = '';
    for (let n = row * width; n < Math.min((row + 1) * width, buckets.changed.length); n += 1) {
      const level = levelOf(shareOf(buckets, n));
      cells += paint(level, shades[level] ?? '?');
    }
    lines.push(`${offset} ${cells}`);
  }
  lines.push('');
  // With one shade for two levels the legend names them together.
  const legend = LEVEL_LABELS.map((label, level) => ({ shade: shades[level] ?? '?', label, level }));
  lines.push(
    ...wrap(
      legend.map(({ shade, label, level }) => ({
        text: `${paint(level, shade)} ${label}`,
        width: label.length + 2,
      })),
      style.columns,
    ),
  );
  const share = buckets.sizeBytes === 0 ? 0 : (100 * buckets.changedBytes) / buckets.sizeBytes;
  const until = facts.to === null ? 'now' : shorten(facts.to);
  lines.push(
    `${formatBytes(buckets.changedBytes)} of ${formatBytes(buckets.sizeBytes)} ${facts.from === '*' ? 'hold data' : 'changed'} (${share.toFixed(2)} %)`,
    `in ${buckets.rangeCount} areas; a cell is ${formatBytes(buckets.bytesPerBucket)}`,
    facts.from === '*' ? `at ${until}` : `from ${shorten(facts.from)} to ${until}`,
  );
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`;
}

/** Names can be long and odd; a UUID is shown by its first block, anything else cut and made printable. */
function shorten(name: string): string {
  const clean = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
  return clean.length <= 14 ? clean : `${clean.slice(0, 13)}…`;
}

function wrap(items: readonly { text: string; width: number }[], columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const { text, width } of items) {
    const gap = used === 0 ? 0 : 3;
    if (used + gap + width > columns && used > 0) {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += (used === 0 ? '' : '   ') + text;
    used += (used === 0 ? 0 : 3) + width;
  }
  if (line !== '') lines.push(line);
  return lines;
}
