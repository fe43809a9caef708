// Keeps the table of measured figures in docs/comparison.md what bench/results/latest.json says; the bench runs it at its end.
//   node scripts/make-comparison.mjs            writes the table
//   node scripts/make-comparison.mjs --check    fails when the table is not what it would write
import { readFileSync, writeFileSync } from 'node:fs';

const results = new URL('../bench/results/latest.json', import.meta.url);
const target = new URL('../docs/comparison.md', import.meta.url);
const BEGIN = '<!-- measured: made by scripts/make-comparison.mjs -->';
const END = '<!-- /measured -->';

/** Cases that are shown, by how their names begin, and the peer that each is measured against. The first that fits counts. */
const SHOWN = [
  ['full backup beside virtnbdbackup', 'virtnbdbackup'],
  ['incremental backup beside virtnbdbackup', 'virtnbdbackup'],
  ['full backup', '`qemu-img convert`'],
  ['incremental backup', '`blockdev-backup sync=bitmap`'],
  ['changes in process', 'qemu-nbd and libnbd'],
  ['command changes', '`nbdinfo --map`'],
];

function table({ date, cpu, cores, node, rows }) {
  const lines = rows.flatMap((row) => {
    const [, peer] = SHOWN.find(([start]) => row.case.startsWith(start)) ?? [];
    if (peer === undefined) return [];
    if (row.ours === undefined || row.peer === undefined)
      return [`| ${row.case} | | ${peer} | ${row.note ?? 'not run'} |`];
    const ratio = (row.peer.median / row.ours.median).toFixed(2);
    return [`| ${row.case} | ${time(row.ours)} | ${peer}: ${time(row.peer)} | ${ratio}× |`];
  });
  return [
    BEGIN,
    '| Case | qemu-cbt | Peer | Peer ÷ ours |',
    '|---|---|---|---|',
    ...lines,
    '',
    `Medians of ${date.slice(0, 10)} on ${cores} cores (${cpu}), Node ${node.replace(/^v/, '')}.`,
    END,
  ].join('\n');
}

const time = ({ median }) => (median < 1000 ? `${median.toFixed(1)} ms` : `${(median / 1000).toFixed(1)} s`);

const before = readFileSync(target, 'utf8');
const [start, end] = [before.indexOf(BEGIN), before.indexOf(END)];
if (start < 0 || end < start) throw new Error(`docs/comparison.md: no ${BEGIN} followed by ${END}`);
const made = table(JSON.parse(readFileSync(results, 'utf8')));
const after = before.slice(0, start) + made + before.slice(end + END.length);
if (!process.argv.includes('--check')) writeFileSync(target, after);
else if (after !== before) {
  console.error('docs/comparison.md is not up to date: run node scripts/make-comparison.mjs');
  process.exitCode = 1;
}
