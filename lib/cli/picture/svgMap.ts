/** The picture of a map as an SVG file: self-contained, light and dark by the viewer's preference, a tooltip on each cell. */
import type { ChangeMapFacts } from '../../core/changeMap.js';
import { escapeXml } from '../../core/escapeXml.js';
import { type Buckets, LEVEL_LABELS, LEVELS, levelOf, shareOf } from './buckets.js';
import { formatBytes } from './units.js';

/** Buckets for a picture: 32 rows. */
export const SVG_CELLS = 2048;

const COLUMNS = 64;
const CELL = 12;
const GAP = 2;
const LEFT = 84;
const TOP = 76;
const WIDTH = LEFT + COLUMNS * (CELL + GAP) + 24;

const STYLE = `
  svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
  .bg { fill: #ffffff } .title { font-size: 17px; font-weight: 600; fill: #1b1f24 } .text { fill: #59636e }
  .c0 { fill: #e9edf1 } .c1 { fill: #bcd7f5 } .c2 { fill: #86b6ee } .c3 { fill: #4a90e2 } .c4 { fill: #2566b8 } .c5 { fill: #123c78 }
  @media (prefers-color-scheme: dark) {
    .bg { fill: #14181d } .title { fill: #eef2f6 } .text { fill: #9aa7b4 }
    .c0 { fill: #232a32 } .c1 { fill: #1f4468 } .c2 { fill: #2a6199 } .c3 { fill: #3f86cf } .c4 { fill: #7ab4ee } .c5 { fill: #c9e2fb }
  }`;

export function drawSvg(buckets: Buckets, facts: ChangeMapFacts): string {
  const rows = Math.ceil(buckets.changed.length / COLUMNS);
  const height = TOP + rows * (CELL + GAP) + 56;
  const until = facts.to === null ? 'now' : facts.to;
  const share = buckets.sizeBytes === 0 ? 0 : (100 * buckets.changedBytes) / buckets.sizeBytes;
  const summary = `${formatBytes(buckets.changedBytes)} of ${formatBytes(buckets.sizeBytes)} ${facts.from === '*' ? 'hold data' : 'changed'} (${share.toFixed(2)} %) in ${buckets.rangeCount} areas`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t d">`,
    `<title id="t">${escapeXml(shorten(facts.disk, 90))}</title>`,
    `<desc id="d">${escapeXml(`${summary}, from ${facts.from} to ${until}`)}</desc>`,
    `<style>${STYLE}\n</style>`,
    `<rect class="bg" width="100%" height="100%"/>`,
    `<text class="title" x="24" y="32">${escapeXml(shorten(facts.disk, 90))}</text>`,
    `<text class="text" x="24" y="54">${escapeXml(`${summary} · from ${shorten(facts.from, 40)} to ${shorten(until, 40)}`)}</text>`,
  ];
  for (let row = 0; row < rows; row += 1) {
    const y = TOP + row * (CELL + GAP);
    if (row % 4 === 0) {
      const offset = formatBytes(row * COLUMNS * buckets.bytesPerBucket);
      parts.push(`<text class="text" x="${LEFT - 10}" y="${y + 10}" text-anchor="end">${offset}</text>`);
    }
    for (let n = row * COLUMNS; n < Math.min((row + 1) * COLUMNS, buckets.changed.length); n += 1) {
      parts.push(cell(buckets, n, LEFT + (n % COLUMNS) * (CELL + GAP), y));
    }
  }
  const legendY = TOP + rows * (CELL + GAP) + 20;
  for (let level = 0; level <= LEVELS; level += 1) {
    const x = LEFT + level * 116;
    parts.push(`<rect class="c${level}" x="${x}" y="${legendY}" width="${CELL}" height="${CELL}" rx="2"/>`);
    parts.push(
      `<text class="text" x="${x + CELL + 6}" y="${legendY + 10}">${LEVEL_LABELS[level] ?? ''}</text>`,
    );
  }
  const each = `a cell is ${formatBytes(buckets.bytesPerBucket)}`;
  parts.push(
    `<text class="text" x="${WIDTH - 24}" y="${legendY + 10}" text-anchor="end">${each}</text>`,
    '</svg>',
  );
  return `${parts.join('\n')}\n`;
}

function cell(buckets: Buckets, n: number, x: number, y: number): string {
  const changed = buckets.changed[n] ?? 0;
  const start = n * buckets.bytesPerBucket;
  const end = Math.min(start + buckets.bytesPerBucket, buckets.sizeBytes);
  const rect = `<rect class="c${levelOf(shareOf(buckets, n))}" x="${x}" y="${y}" width="${CELL}" height="${CELL}" rx="2">`;
  return `${rect}<title>bytes ${start} to ${end}: ${changed === 0 ? 'unchanged' : `${formatBytes(changed)} changed`}</title></rect>`;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `…${text.slice(1 - length)}`;
}
