// docs/timeline.svg, the picture in the README: a real image gets points in time and writes between them, and is drawn as
// `map --html` draws it. Run it again when the page's looks have changed; the writes are always the same.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDisk, openVm } from 'qemu-cbt';
import { readTimeline } from '../dist/cli/picture/timeline/intervals.js';
import { drawStrip } from '../dist/cli/picture/timeline/strip.js';
import { formatBytes } from '../dist/cli/picture/units.js';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const BLOCK = 65_536;
const SIZE = 20 * GiB;

let seed = 7;
function random() {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return seed / 2 ** 31;
}
const scattered = (count, from, to, blocks) =>
  Array.from({ length: count }, () => [from + random() * (to - from), BLOCK * Math.ceil(random() * blocks)]);

/** What happens to the disk between its points in time. */
const DAYS = [
  [[0, 900 * MiB], [1200 * MiB, 700 * MiB], [12 * GiB, 500 * MiB], ...scattered(60, 2 * GiB, 9 * GiB, 300)],
  [[17 * GiB, 64 * MiB], ...scattered(150, 0, 2 * GiB, 12), ...scattered(30, 11.8 * GiB, 13 * GiB, 20)],
  [[13 * GiB, 1400 * MiB], [17.1 * GiB, 64 * MiB], ...scattered(40, 0.5 * GiB, 1.5 * GiB, 30)],
  [],
  [[17.2 * GiB, 64 * MiB], ...scattered(250, 0, 20 * GiB, 2), ...scattered(80, 4 * GiB, 6 * GiB, 90)],
  [[17.3 * GiB, 64 * MiB], ...scattered(60, 0, GiB, 10)],
];

async function makeDisk(disk) {
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', disk, String(SIZE)]);
  await using vm = await openVm({ images: [disk] });
  await vm.enable();
  for (const [day, writes] of DAYS.entries()) {
    if (day > 0) await (await vm.begin()).commit();
    const commands = writes.flatMap(([offset, length]) => {
      const start = Math.floor(offset / BLOCK) * BLOCK;
      return ['-c', `write -z ${start} ${Math.min(length, SIZE - start)}`];
    });
    if (commands.length > 0) execFileSync('qemu-io', ['-f', 'qcow2', ...commands, disk]);
  }
}

const WIDTH = 960;
const LEFT = 96;
const RIGHT = 128;
const TOP = 34;
const ROW = 38;
const BAR = 26;
const ARROW = '\u2192';

const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #17191c } .s { fill: #62676e; font-size: 11.5px } .b { font-weight: 600 } .r { text-anchor: end }
line { stroke: #e6e6e2 } .l0 { fill: #f0f0ed } .l1 { fill: #7fb0ea } .l2 { fill: #5894e0 } .l3 { fill: #3a78cf } .l4 { fill: #2158ab } .l5 { fill: #123a7c }
@media (prefers-color-scheme: dark) {
text { fill: #eceef0 } .s { fill: #9aa0a8 } line { stroke: #2a2d32 } .l0 { fill: #1c1f23 }
.l1 { fill: #33609c } .l2 { fill: #3d74b8 } .l3 { fill: #4f8fdc } .l4 { fill: #74acee } .l5 { fill: #a6ccf8 } }`;

function draw({ intervals }) {
  const width = WIDTH - LEFT - RIGHT;
  const height = TOP + intervals.length * ROW + 8;
  const title = 'What changed on a disk between its points in time';
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t">`,
    `<title id="t">${title}</title>`,
    `<style>${STYLE}</style>`,
  ];
  for (let at = 0; at < SIZE; at += 4 * GiB) {
    const x = LEFT + (at / SIZE) * width;
    parts.push(`<text class="s" x="${x}" y="20">${at === 0 ? '0' : formatBytes(at)}</text>`);
  }
  for (const [n, { from, to, answer }] of intervals.entries()) {
    if (!answer.known) throw answer.error;
    const y = TOP + n * ROW;
    const middle = y + ROW / 2 + 4.5;
    const { changedBytes, areas } = answer.cells;
    const share = ((100 * changedBytes) / SIZE).toFixed(2);
    const strip = drawStrip(answer.cells, answer.sizeBytes, SIZE, `${from.short} to ${to.short}`, width / 2);
    const place = `x="${LEFT}" y="${y + (ROW - BAR) / 2}" width="${width}" height="${BAR}"`;
    parts.push(
      `<line x1="0" x2="${WIDTH}" y1="${y}" y2="${y}"/>`,
      `<text class="b" x="0" y="${middle}">${from.short} ${ARROW} ${to.short}</text>`,
      strip.replace('<svg class="strip"', `<svg ${place}`),
      `<text class="b r" x="${WIDTH}" y="${middle - (areas === 0 ? 0 : 7)}">${areas === 0 ? 'nothing' : formatBytes(changedBytes)}</text>`,
      areas === 0 ? '' : `<text class="s r" x="${WIDTH}" y="${middle + 8}">${share} %</text>`,
    );
  }
  return `${parts.filter((part) => part !== '').join('\n')}\n</svg>\n`;
}

const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-picture-'));
try {
  const path = join(work, 'disk.qcow2');
  await makeDisk(path);
  const disk = await openDisk(path);
  writeFileSync(new URL('../docs/timeline.svg', import.meta.url), draw(await readTimeline(disk, {})));
  await disk.close();
} finally {
  rmSync(work, { recursive: true, force: true });
}
