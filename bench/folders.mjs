// What a backup folder of many runs costs to verify, to restore from and to list: time that grows with the runs and no faster, and memory
// that does not grow. The peer of a restore is `qemu-img convert` of the newest layer, which checks nothing.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder, makeManifests } from './folderOfRuns.mjs';
import { timedCommand } from './measure.mjs';

const bin = fileURLToPath(new URL('../bin/qemu-cbt.js', import.meta.url));
const FEW = 150;
const MANY = 600;
const MOST_MIB = 128;
const YEARS = 10_000;
const shape = { sizeBytes: 20 * 2 ** 30, fullBytes: 64 * 2 ** 20, clusters: 4 };

export async function folderCases(work, only = '') {
  if (!'folders'.includes(only)) return [];
  const root = join(work, 'folders');
  await mkdir(root);
  try {
    const [few, many] = [FEW, MANY].map((runs) => join(root, String(runs)));
    await makeFolder(few, { runs: FEW, ...shape });
    await makeFolder(many, { runs: MANY, ...shape });
    return [await verifyCase(few, many), await restoreCase(many, root), await listCase(join(root, 'years'))];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function verifyCase(few, many) {
  const verify = (folder) => [process.execPath, bin, 'verify', '--from', folder, '--json'];
  const peer = await timedCommand(verify(few), { runs: 3, warmup: 1 });
  const ours = await timedCommand(verify(many), { runs: 3, warmup: 0 });
  const ratio = ours.median / peer.median;
  return {
    case: `verify of ${MANY} runs, beside ${FEW} runs`,
    ours,
    peer,
    note: `${ratio.toFixed(1)}× the time for ${MANY / FEW}× the runs, peak ${ours.peakMiB.toFixed(0)} MiB`,
    wanted: `≤ 5×, ≤ ${MOST_MIB} MiB`,
    holds: ratio <= 5 && ours.peakMiB <= MOST_MIB,
  };
}

async function restoreCase(folder, root) {
  const ours = join(root, 'ours.raw');
  const theirs = join(root, 'peer.raw');
  const restore = [process.execPath, bin, 'restore', '--from', folder, '--to', ours, '--force', '--json'];
  const newest = join(folder, `disk-${String(MANY).padStart(6, '0')}.qcow2`);
  const convert = ['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', newest, theirs];
  const a = await timedCommand(restore, { runs: 3, warmup: 1 });
  const b = await timedCommand(convert, { runs: 3, warmup: 1 });
  return {
    case: `restore of the newest of ${MANY} runs`,
    ours: a,
    peer: b,
    note: `${(b.median / a.median).toFixed(2)}× qemu-img convert, peak ${a.peakMiB.toFixed(0)} MiB`,
    wanted: `≤ ${MOST_MIB} MiB`,
    holds: a.peakMiB <= MOST_MIB,
  };
}

/** The peer reads the same files and understands nothing of them. */
async function listCase(folder) {
  await makeManifests(folder, YEARS);
  const ours = await timedCommand([process.execPath, bin, 'list', folder], { runs: 5, warmup: 1 });
  const cat = ['find', folder, '-name', 'run-*.json', '-exec', 'cat', '{}', '+'];
  const peer = await timedCommand(cat, { runs: 5, warmup: 1 });
  return {
    case: `list of ${YEARS} runs`,
    ours,
    peer,
    note: `peak ${ours.peakMiB.toFixed(0)} MiB`,
    wanted: '≤ 1000 ms',
    holds: ours.median <= 1000,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { mkdtemp } = await import('node:fs/promises');
  const work = await mkdtemp(join((await import('node:os')).tmpdir(), 'cbt-bench-'));
  try {
    for (const result of await folderCases(work)) console.log(JSON.stringify(result));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
