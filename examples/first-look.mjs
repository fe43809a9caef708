// The whole idea in one minute, on a disk made for it: enable tracking, write, take a point in time, write, take another,
// write; then ask what changed between any two of them and compare the answer with what was written.
//   npm start                      in a temporary folder, removed at the end
//   npm start -- --keep            leaves the disk behind, to play with
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDisk } from 'qemu-cbt';

const command = fileURLToPath(new URL('../bin/qemu-cbt.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'qemu-cbt-start-'));
const disk = join(folder, 'disk.qcow2');
const keep = process.argv.includes('--keep');

const MiB = 1024 * 1024;
const GRANULE = 64 * 1024;

const tell = (text) => console.log(`\n${text}`);
const run = (program, args) =>
  execFileSync(program, args, { encoding: 'utf8', cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });

/** Shows a command and what it prints, as a terminal would. */
function show(...args) {
  console.log(`$ qemu-cbt ${args.join(' ')}`);
  const output = execFileSync(process.execPath, [command, ...args], {
    encoding: 'utf8',
    cwd: folder,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(output);
  return output;
}

/** Writes like a guest: [offset, length, byte] through QEMU. */
function guestWrites(writes) {
  const commands = writes.flatMap(([offset, length, byte]) => ['-c', `write -P ${byte} ${offset} ${length}`]);
  run('qemu-io', ['-f', 'qcow2', ...commands, 'disk.qcow2']);
  for (const [offset, length] of writes) console.log(`  guest writes ${length} bytes at ${offset}`);
}

const takePit = (output) => {
  const { session, pit } = JSON.parse(output);
  execFileSync(process.execPath, [command, 'commit', 'disk.qcow2', '--session', session], { cwd: folder });
  return pit;
};

/** The granules that the writes touched, as merged [start, length] areas. */
function expectedAreas(writes) {
  const granules = new Set();
  for (const [offset, length] of writes) {
    for (let g = Math.floor(offset / GRANULE); g * GRANULE < offset + length; g += 1) granules.add(g);
  }
  const areas = [];
  for (const g of [...granules].sort((a, b) => a - b)) {
    const last = areas.at(-1);
    if (last && last[0] + last[1] === g * GRANULE) last[1] += GRANULE;
    else areas.push([g * GRANULE, GRANULE]);
  }
  return areas;
}

try {
  tell('A 4 GiB disk, made with qemu-img, and a first point in time:');
  run('qemu-img', ['create', '-q', '-f', 'qcow2', 'disk.qcow2', '4G']);
  const first = JSON.parse(show('enable', 'disk.qcow2', '--json')).pit;

  const day1 = [
    [0, 4096, 1],
    [100 * MiB, 3 * MiB, 2],
    [2048 * MiB, 200 * MiB, 3],
  ];
  guestWrites(day1);

  tell('A second point in time. `begin` says what a backup must copy, `commit` keeps the point:');
  const second = takePit(show('begin', 'disk.qcow2', '--json'));
  const day2 = [
    [101 * MiB + 12_345 * 512, 64 * 1024, 4],
    [1500 * MiB, 512, 5],
  ];
  guestWrites(day2);

  tell('A third:');
  const third = takePit(show('begin', 'disk.qcow2', '--json'));
  const day3 = [[4096 * MiB - 512, 512, 6]];
  guestWrites(day3);

  tell('All of it is in the image; no database, no daemon:');
  show('pits', 'disk.qcow2');

  tell('What changed between any two points, checked against what was written:');
  const opened = await openDisk(disk);
  const cases = [
    ['first', 'second', first, second, day1],
    ['second', 'third', second, third, day2],
    ['first', 'third', first, third, [...day1, ...day2]],
    ['second', 'now', second, undefined, [...day2, ...day3]],
    ['first', 'now', first, undefined, [...day1, ...day2, ...day3]],
  ];
  for (const [fromName, toName, from, to, writes] of cases) {
    const map = await opened.changes({ from, to });
    const areas = [];
    for await (const { offset, length } of map) areas.push([offset, length]);
    const right = JSON.stringify(areas) === JSON.stringify(expectedAreas(writes));
    console.log(
      `  ${fromName} → ${toName}: ${areas.length} areas, ${await map.changedBytes()} bytes: ${right ? 'exactly what was written' : 'WRONG'}`,
    );
    if (!right)
      throw new Error(`expected ${JSON.stringify(expectedAreas(writes))}, got ${JSON.stringify(areas)}`);
  }

  await opened.close();

  tell('The same for programs, and as a picture:');
  show('changes', 'disk.qcow2', '--from', second, '--to', third, '--json');
  show('map', 'disk.qcow2', '--from', first);

  tell('What to try next:');
  const bin = relative(process.cwd(), command) || command;
  console.log(`  npm start -- --keep                       the same, and the disk stays for you to play with
  ${bin} changes DISK --from PIT --jsonl     one JSON object an area, streaming
  ${bin} map DISK --from PIT --svg map.svg   the picture as a file
  ${bin} doctor DISK                         is everything in order?
  ${bin} --help                              everything else`);
  if (keep) console.log(`\nThe disk: ${disk}`);
} finally {
  if (!keep) rmSync(folder, { recursive: true, force: true });
}
