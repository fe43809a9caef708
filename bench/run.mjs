// The bench: every figure beside its peer's, taken in the same run on the same image. Prints a table, keeps the figures in
// bench/results/latest.json. `npm run bench -- <word>` runs one group (kernel, changes, memory, command, backup, folders, restore onto, virtnbdbackup, live, vmware, compiled, serve),
// or what is asked of the images whose name holds the word; these figures are not kept.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDisk } from 'qemu-cbt';
import { backupCases } from './backup.mjs';
import { compiledCases } from './compiled.mjs';
import { folderCases } from './folders.mjs';
import { bitmapName, bitsAlternating, bitsAtRandom, bitsInRuns, makeImage, PIT } from './images.mjs';
import { kernelCases } from './kernel.mjs';
import { liveCases } from './live.mjs';
import { run, summary, timed, timedCommand } from './measure.mjs';
import { restoreOntoCases } from './restoreOnto.mjs';
import { serveCases } from './serve.mjs';
import { virtnbdbackupCases } from './virtnbdbackup.mjs';
import { vmwareCases } from './vmware.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const only = process.argv[2] ?? '';
const TiB = 2 ** 40;
const GRANULE = 65_536;

const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-bench-'));
const rows = [];

function record(row) {
  rows.push(row);
  const spread = (s) =>
    s === undefined ? '' : `${s.median.toFixed(1)} ms (${s.min.toFixed(1)}–${s.max.toFixed(1)})`;
  const verdict = row.holds === undefined ? '' : row.holds ? 'ok' : 'MISSED';
  console.log(
    `${row.case.padEnd(58)} ${spread(row.ours).padEnd(30)} ${spread(row.peer).padEnd(34)} ${(row.note ?? '').padEnd(30)} ${row.wanted ?? ''} ${verdict}`,
  );
}

const images = {
  '16 TiB, 5 % dirty in runs': { size: 16 * TiB, bits: () => bitsInRuns((16 * TiB) / GRANULE, 0.05, 64) },
  '1 TiB, alternating blocks': { size: TiB, bits: () => bitsAlternating(TiB / GRANULE) },
  '1 TiB, 10 % random': { size: TiB, bits: () => bitsAtRandom(TiB / GRANULE, 0.1) },
};

const limits = {
  '16 TiB, 5 % dirty in runs': { ms: 15, faster: 25 },
  '1 TiB, alternating blocks': { ms: 60 },
  '1 TiB, 10 % random': { ms: 12 },
};

/** The whole way in one process: open the image, check it, read every range into one array. */
async function inProcess(path) {
  const disk = await openDisk(path);
  try {
    const map = await disk.changes({ from: PIT });
    return await map.ranges();
  } finally {
    await disk.close();
  }
}

async function mapCases() {
  const peer = join(work, 'block_status');
  await run('cc', ['-O2', '-o', peer, join(here, 'peers/block_status.c'), '-lnbd']);
  for (const [name, { size, bits }] of Object.entries(images)) {
    if (
      !['changes in process', 'command changes', 'memory'].some((what) => `${what}, ${name}`.includes(only))
    )
      continue;
    const path = join(work, 'disk.qcow2');
    makeImage(path, size, bits());
    const bitmap = bitmapName(size);
    let ranges = 0;
    const ours = await timed(() => inProcess(path), {
      consume: (r) => {
        ranges = r.length / 2;
      },
    });
    // The peer's whole way too: start the server, let it load the bitmap, ask everything.
    const peers = await timed(() => run(peer, [path, bitmap]), { runs: 5, warmup: 1 });
    const asked = [];
    for (let i = 0; i < 5; i += 1) asked.push(JSON.parse(await run(peer, [path, bitmap])));
    if (asked[0].ranges !== ranges)
      throw new Error(`${name}: we say ${ranges} ranges, the peer ${asked[0].ranges}`);
    const { ms, faster } = limits[name];
    const ratio = peers.median / ours.median;
    record({
      case: `changes in process, ${name}`,
      ours,
      peer: peers,
      note: `${ranges} ranges, ${ratio.toFixed(1)}×; asking alone ${(summary(asked.map((a) => a.ms)).median / ours.median).toFixed(1)}×`,
      wanted: `≤ ${ms} ms${faster ? `, ≥ ${faster}×` : ''}`,
      holds: ours.median <= ms && (faster === undefined || ratio >= faster),
    });
    await memoryCase(name, path, ranges);
    if (name !== '1 TiB, alternating blocks') await commandCase(name, path, bitmap);
  }
}

/** Peak memory of a process that streams the map, and of one that holds it whole, above one that only loaded the library. */
async function memoryCase(name, path, ranges) {
  const script = join(here, 'memory.mjs');
  const peak = async (mode) => JSON.parse(await run(process.execPath, [script, mode, path, PIT])).peakMiB;
  const idle = await peak('idle');
  const streaming = (await peak('stream')) - idle;
  const whole = (await peak('whole')) - idle;
  const wholeLimit = (16 * ranges) / 2 ** 20 + 64;
  record({
    case: `memory streaming, ${name}`,
    note: `${streaming.toFixed(1)} MiB above idle ${idle.toFixed(0)}`,
    wanted: '≤ 64 MiB',
    holds: streaming <= 64,
  });
  record({
    case: `memory whole, ${name}`,
    note: `${whole.toFixed(1)} MiB above idle`,
    wanted: `≤ ${wholeLimit.toFixed(0)} MiB`,
    holds: whole <= wholeLimit,
  });
}

async function commandCase(name, path, bitmap) {
  const bin = fileURLToPath(new URL('../bin/qemu-cbt.js', import.meta.url));
  const ours = await timedCommand([process.execPath, bin, 'changes', path, '--from', PIT, '--json']);
  const nbdinfo = [
    'nbdinfo',
    '--json',
    `--map=qemu:dirty-bitmap:${bitmap}`,
    '--',
    '[',
    'qemu-nbd',
    '-r',
    '-f',
    'qcow2',
    '-B',
    bitmap,
    path,
    ']',
  ];
  const peer = await timedCommand(nbdinfo);
  const wanted = name.startsWith('16') ? 3 : 4;
  const ratio = peer.median / ours.median;
  record({
    case: `command changes --json, ${name}`,
    ours,
    peer,
    note: `${ratio.toFixed(1)}×, peak ${ours.peakMiB.toFixed(0)} against ${peer.peakMiB.toFixed(0)} MiB`,
    wanted: `≥ ${wanted}×, less memory`,
    holds: ratio >= wanted && ours.peakMiB < peer.peakMiB,
  });
}

try {
  const [cpu] = cpus();
  console.log(
    `${cpu?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}; medians (min–max)\n`,
  );
  for (const row of await kernelCases(only)) record(row);
  await mapCases();
  for (const row of await backupCases(work, only)) record(row);
  for (const row of await folderCases(work, only)) record(row);
  for (const row of await restoreOntoCases(work, only)) record(row);
  for (const row of await virtnbdbackupCases(only)) record(row);
  for (const row of await liveCases(work, only)) record(row);
  for (const row of await vmwareCases(work, only)) record(row);
  for (const row of await compiledCases(work, only)) record(row);
  for (const row of await serveCases(work, only)) record(row);
  if (rows.length === 0) {
    console.error(
      `no case is named ${only}; groups: kernel, changes, memory, command, backup, folders, restore onto, virtnbdbackup, live, vmware, compiled, serve`,
    );
    process.exitCode = 2;
  }
  const missed = rows.filter((row) => row.holds === false);
  mkdirSync(join(here, 'results'), { recursive: true });
  const result = {
    date: new Date().toISOString(),
    cpu: cpu?.model,
    cores: cpus().length,
    node: process.version,
    rows,
  };
  if (only === '') {
    writeFileSync(join(here, 'results/latest.json'), `${JSON.stringify(result, null, 2)}\n`);
    await import('../scripts/make-comparison.mjs');
  }
  console.log(`\n${rows.length} cases, ${missed.length} missed`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
