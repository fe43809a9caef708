/**
 * The timeline as one HTML page that needs nothing else: a table of intervals with a strip of the disk in each row, which
 * is all there is without a script; with it, strips can be zoomed and asked. Names come from images: in the markup they
 * are escaped, in the data for the script no `<` is left, and the page's policy runs no other script whatever is in it.
 */
import { basename } from 'node:path';
import { escapeXml } from '../../../core/escapeXml.js';
import { LEVEL_LABELS } from '../buckets.js';
import { formatBytes } from '../units.js';
import { readAssets } from './assets.js';
import { encodeCells } from './encodeCells.js';
import type { Interval, Label, Timeline } from './intervals.js';
import { drawStrip, heightOf } from './strip.js';

/** Rows from which on they are drawn lower. */
const DENSE_FROM = 25;

/** Characters of a bitmap's name where it stands for the interval. */
const MAX_NAME = 96;

export function drawHtml(timeline: Timeline, madeAt: Date): string {
  const { style, script, policy } = readAssets();
  const { intervals } = timeline;
  const sizeBytes = axisBytes(timeline);
  const title = nameOf(timeline.disk);
  const rows = intervals.map((interval, n) => drawRow(interval, n, sizeBytes));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${text(title)}: changed blocks</title>
<style>${style}</style>
</head>
<body>
<main>
<header>
<h1>${text(title)}</h1>
<p class="path">${text(timeline.disk)}</p>
<dl class="facts">
${facts(timeline, madeAt)}
</dl>
</header>
<div class="tools" hidden>
<p id="view" aria-live="polite"></p>
<div class="buttons" role="group" aria-label="Zoom">
<button type="button" data-do="out" aria-label="Zoom out" title="Zoom out (-)">&minus;</button>
<button type="button" data-do="in" aria-label="Zoom in" title="Zoom in (+)">+</button>
<button type="button" data-do="reset" title="Whole disk (0)">Whole disk</button>
</div>
</div>
<table id="timeline" role="table" class="${intervals.length >= DENSE_FROM ? 'dense' : ''}" aria-describedby="reading">
<caption>What changed on ${text(title)} between its points in time</caption>
<thead role="rowgroup">
<tr role="row"><th role="columnheader" scope="col">Interval</th><th role="columnheader" scope="col" class="where"><span class="ends"><span>0</span><span>Offset</span><span>${formatBytes(sizeBytes)}</span></span></th><th role="columnheader" scope="col" class="total">Changed</th></tr>
</thead>
<tbody role="rowgroup">
${rows.join('\n')}
</tbody>
</table>
<footer id="reading">
${legend()}
${notes(timeline)}
</footer>
</main>
<div id="tip" role="status" hidden></div>
<script type="application/json" id="data">${forScript(dataOf(timeline, sizeBytes))}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** The longest the disk ever was in an interval: the axis of all. */
function axisBytes({ sizeBytes, intervals }: Timeline): number {
  return intervals.reduce(
    (most, { answer }) => (answer.known ? Math.max(most, answer.sizeBytes) : most),
    sizeBytes,
  );
}

function nameOf(disk: string): string {
  if (!disk.startsWith('qmp:')) return basename(disk) || disk;
  return disk.slice(disk.indexOf('#') + 1) || disk;
}

function facts({ sizeBytes, epoch, pitCount, intervals }: Timeline, madeAt: Date): string {
  const granularities = new Set(
    intervals.flatMap(({ answer }) => (answer.known ? answer.granularityBytes : [])),
  );
  const blocks = [...granularities]
    .sort((a, b) => a - b)
    .map(formatBytes)
    .join(', ');
  const pairs: [string, string][] = [
    ['Size', formatBytes(sizeBytes)],
    ['Points in time', String(pitCount)],
    ['Recorded in blocks of', blocks === '' ? 'not known' : blocks],
    ['Epoch', epoch ?? 'none'],
    ['Read', `${madeAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`],
  ];
  return pairs.map(([name, value]) => `<div><dt>${name}</dt><dd>${text(value)}</dd></div>`).join('\n');
}

function drawRow({ from, to, answer }: Interval, n: number, axis: number): string {
  const name = `<th role="rowheader" scope="row"><span class="name">${text(from.short)} <span class="arrow" aria-label="to">&rarr;</span> ${text(to.short)}</span><span class="point" title="${text(`from ${from.long} to ${to.long}`)}">${text(from.long)}</span></th>`;
  const row = (kind: string, where: string, total: string): string =>
    `<tr role="row" data-row="${n}" class="${kind}${from.named ? ' named' : ''}">${name}<td role="cell" class="where">${where}</td><td role="cell" class="total">${total}</td></tr>`;
  if (!answer.known) {
    const { message, reason, code } = answer.error;
    return row(
      'unknown',
      `<p class="why">Not known: ${text(message)} <span class="code">${text(reason ?? code)}</span></p>`,
      '<span class="amount">not known</span>',
    );
  }
  const { cells, sizeBytes } = answer;
  const share = sizeBytes === 0 ? 0 : (100 * cells.changedBytes) / sizeBytes;
  const areas = cells.areas === 1 ? '1 area' : `${cells.areas} areas`;
  const percent = cells.areas > 0 && share < 0.01 ? 'under 0.01' : share.toFixed(share < 10 ? 2 : 1);
  const said = cells.areas === 0 ? 'nothing' : formatBytes(cells.changedBytes);
  const label = `${shortest(from)} to ${to.short}: ${said} changed in ${areas}`;
  return row(
    'known',
    drawStrip(cells, sizeBytes, axis, text(label)),
    `<span class="amount" title="${cells.changedBytes} bytes">${said}</span> <span class="part">${cells.areas === 0 ? 'changed' : `${percent} % in ${areas}`}</span>`,
  );
}

/** The shortest that tells an end from the others. */
function shortest({ short, long, named = false }: Label): string {
  return named ? cut(long, MAX_NAME) : short;
}

function legend(): string {
  const items = LEVEL_LABELS.slice(1).map((label, n) => {
    const height = 10 * heightOf(n + 1);
    return `<li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="l${n + 1}" y="${10 - height}" width="10" height="${height}"/></svg>${text(label)}</li>`;
  });
  return `<ul class="legend" aria-label="Share of a column that changed">${items.join('')}</ul>`;
}

function notes({ intervals, problems, notes }: Timeline): string {
  const lines = [
    'Height and shade say how much of what a column stands for has changed. The smallest change is drawn; an empty place did not change.',
    'An image records the order of its points in time, not the hour.',
  ];
  const joined = intervals.filter(({ answer }) => answer.known && answer.cells.bucketBytes > 0);
  const widest = Math.max(0, ...joined.map(({ answer }) => (answer.known ? answer.cells.bucketBytes : 0)));
  if (joined.length > 0) {
    const which = joined.length === 1 ? 'One interval has' : `${joined.length} intervals have`;
    lines.push(
      `${which} more areas than a page can hold: there, neighbours are drawn together in paler pieces of up to ${formatBytes(widest)}, wider than the blocks that were recorded. Such a piece means: changed somewhere in here.`,
    );
  }
  const first = intervals[0];
  if (first !== undefined && skips(first))
    lines.push('The oldest points in time are many: the first interval stands for all between its two ends.');
  const warnings = new Set(intervals.flatMap(({ answer }) => (answer.known ? answer.warnings : [])));
  // What keeps an interval from its answer stands in its row already.
  const reasons = intervals.map(({ answer }) => (answer.known ? '' : answer.error.message));
  const others = problems.filter(({ message }) => !reasons.some((reason) => reason.includes(message)));
  const told = [...warnings, ...others.map(({ message }) => message), ...notes].slice(0, 64);
  return [
    `<ul class="notes">${lines.map((line) => `<li>${text(line)}</li>`).join('')}</ul>`,
    told.length === 0
      ? ''
      : `<ul class="warnings">${told.map((line) => `<li>${text(line)}</li>`).join('')}</ul>`,
    '<p class="keys" hidden>Wheel or <kbd>+</kbd> <kbd>-</kbd> to zoom, drag or <kbd>←</kbd> <kbd>→</kbd> to move, <kbd>n</kbd> <kbd>p</kbd> for the next and previous change, <kbd>0</kbd> for the whole disk.</p>',
  ].join('\n');
}

function skips({ from, to }: Interval): boolean {
  const [first, last] = [from.short, to.short].map((short) => Number(/^#(\d+)$/.exec(short)?.[1]));
  return first !== undefined && last !== undefined && last - first > 1;
}

function dataOf({ intervals }: Timeline, sizeBytes: number): object {
  return {
    sizeBytes,
    rows: intervals.map(({ from, to, answer }) => {
      const name = `${shortest(from)} → ${to.short}`;
      if (!answer.known) return { name };
      const { unit, text: cells } = encodeCells(answer.cells);
      const { sizeBytes: size, granularityBytes } = answer;
      return { name, sizeBytes: size, granularityBytes, unit, cells };
    }),
  };
}

/** JSON in which no character ends the element that it stands in, and no name turns the text around it. */
function forScript(value: object): string {
  const json = JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'string' ? part.replace(/[\p{Cc}\p{Cf}]/gu, '\uFFFD') : part,
  );
  return json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Long names are cut: a path has at most 4096 bytes, a message may hold several. */
function text(value: string): string {
  return escapeXml(cut(value, 4096));
}

function cut(value: string, most: number): string {
  return value.length > most ? `${value.slice(0, most - 1)}…` : value;
}
