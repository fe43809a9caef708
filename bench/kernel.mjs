// The kernel beside what the memory itself allows: builds and runs native/bench/scan_bench.cpp, which times a plain read
// and a plain fill in the same process, and turns its report into rows.
import { fileURLToPath } from 'node:url';
import { run } from './measure.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Case of the program, its control, and the most that their ratio may be. */
const CASES = [
  { section: '32 MiB', line: 'all clean', control: 'control: sum', most: 1.5 },
  { section: '32 MiB', line: 'all dirty', control: 'control: sum', most: 1.8 },
  { section: 'alternating', line: 'scan (target', control: 'control: plain loop', most: 1.5 },
];

export async function kernelCases(only) {
  if (!'kernel'.includes(only) && !only.startsWith('kernel')) return [];
  await run('cmake', [
    '-S',
    root,
    '-B',
    `${root}build-bench`,
    '-DQEMU_CBT_BENCH=ON',
    '-DCMAKE_BUILD_TYPE=Release',
  ]);
  await run('cmake', ['--build', `${root}build-bench`, '--target', 'scan_bench']);
  const lines = parse(await run(`${root}build-bench/scan_bench`, ['9']));
  return CASES.map(({ section, line, control, most }) => {
    const at = lines.findIndex((l) => l.section.includes(section) && l.name.startsWith(line));
    const ours = lines[at];
    // The nearest control above: the program times each case right after its own.
    const peer = lines
      .slice(0, at)
      .findLast((l) => l.section === ours?.section && l.name.startsWith(control));
    if (ours === undefined || peer === undefined)
      throw new Error(`scan_bench told nothing of ${section}, ${line}`);
    const ratio = ours.median / peer.median;
    const name =
      section === 'alternating'
        ? '1 TiB alternating, against a plain fill'
        : `256 Mbit ${line}, against a plain read`;
    return {
      case: `kernel ${name}`,
      ours,
      peer,
      note: `${ratio.toFixed(2)}×`,
      wanted: `≤ ${most}×`,
      holds: ratio <= most,
    };
  });
}

/** "  name   1.23 ms  (1.00 to 2.00)" below the section's title. */
function parse(text) {
  const rows = [];
  let section = '';
  for (const line of text.split('\n')) {
    const match = /^ {2}(\S.*?) {2,}([\d.]+) ms {2}\(([\d.]+) to ([\d.]+)\)$/.exec(line);
    if (match !== null)
      rows.push({
        section,
        name: match[1],
        median: Number(match[2]),
        min: Number(match[3]),
        max: Number(match[4]),
      });
    else if (/^\S/.test(line)) section = line;
  }
  return rows;
}
