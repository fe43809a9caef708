// What it takes to bring a disk back of whose data 5 % changed: `restore --onto` the image, beside a whole `restore --to` of the same run. Both are
// whole commands, check every byte that they hand on, and end with it on stable storage.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DATA_BYTES, DISK_BYTES, fillCommands, MiB, sync } from './backupLoad.mjs';
import { run, summary, timedCommand } from './measure.mjs';

const bin = fileURLToPath(new URL('../bin/qemu-cbt.js', import.meta.url));
const RUNS = 3;

export async function restoreOntoCases(work, only = '') {
  if (!'restore onto'.includes(only)) return [];
  const folder = join(work, 'onto');
  await mkdir(folder);
  const [image, from, whole] = ['disk.qcow2', 'backups', 'whole.qcow2'].map((name) => join(folder, name));
  const qemuIo = (commands) =>
    run('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), image]);
  const cbt = (...args) => [process.execPath, bin, ...args, '--json'];
  const ours = [];
  const peers = [];
  let peakMiB = 0;
  try {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(DISK_BYTES)]);
    await qemuIo(fillCommands());
    await run(...split(cbt('backup', image, '--to', from)));
    for (let i = 0; i < RUNS; i += 1) {
      await qemuIo(changes(i + 1));
      await sync(image);
      const one = await timedCommand(cbt('restore', '--from', from, '--onto', image), { runs: 1, warmup: 0 });
      ours.push(one.median);
      peakMiB = Math.max(peakMiB, one.peakMiB);
      const peer = await timedCommand(cbt('restore', '--from', from, '--to', whole), { runs: 1, warmup: 0 });
      peers.push(peer.median);
      await run('qemu-img', ['compare', '-q', '-f', 'qcow2', '-F', 'qcow2', image, whole]);
      await rm(whole);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const a = summary(ours);
  const b = summary(peers);
  const ratio = b.median / a.median;
  return [
    {
      case: 'restore onto the image, 4 GiB of data, 5 % changed',
      ours: a,
      peer: b,
      note: `${ratio.toFixed(2)}× a whole restore, peak ${peakMiB.toFixed(0)} MiB`,
      wanted: '≥ 8×, ≤ 256 MiB',
      holds: ratio >= 8 && peakMiB <= 256,
    },
  ];
}

function split([program, ...args]) {
  return [program, args];
}

/** 1 MiB in every 20 of the data. */
function changes(pattern) {
  const commands = [];
  for (let at = 0; at < DATA_BYTES / 2; at += 20 * MiB)
    for (const part of [0, DISK_BYTES / 2]) commands.push(`write -P ${pattern} ${part + at} 1M`);
  return commands;
}
