/**
 * What restoring, verifying and pruning take, measured by the system in a process of its own: memory does not grow with the data, and
 * the work no faster than the number of runs.
 */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../../..');
const MiB = 2 ** 20;
/** Of resident memory at the peak: Node, the library and what they hold of the data. */
const LIMIT_BYTES = 128 * MiB;

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
});
afterEach(async () => {
  await folder.remove();
});

/** A folder of so many runs: the first with so much data, each later one with some clusters of 64 KiB all over the disk. */
async function makeRuns(name: string, runs: number, fullMiB: number, clusters: number): Promise<string> {
  const path = join(folder.path, name);
  const sizes = [runs, 64, fullMiB, clusters].map(String);
  await run(process.execPath, [join(ROOT, 'bench/folderOfRuns.mjs'), path, ...sizes]);
  return path;
}

interface Taken {
  peakBytes: number;
  readBytes: number;
  reads: number;
}

async function measured(...argv: string[]): Promise<Taken> {
  const report = join(folder.path, 'peak.json');
  const preloaded = ['--require', join(import.meta.dirname, 'peak.cjs'), join(ROOT, 'bin/qemu-cbt.js')];
  await run(process.execPath, [...preloaded, ...argv], { env: { ...process.env, PEAK: report } });
  const taken = JSON.parse(await readFile(report, 'utf8')) as Taken;
  await rm(report);
  return taken;
}

test('verify, restore and prune of more data than they may have memory', async () => {
  const from = await makeRuns('backups', 20, 256, 64);
  for (const argv of [
    ['verify', '--from', from],
    ['restore', '--from', from, '--disk', 'disk', '--to', join(folder.path, 'restored.qcow2')],
    ['prune', '--from', from, '--keep-last', '2'],
  ]) {
    const { peakBytes } = await measured(...argv);
    expect(peakBytes, argv[0]).toBeGreaterThan(16 * MiB);
    expect(peakBytes, argv[0]).toBeLessThan(LIMIT_BYTES);
  }
});

test('verify of four times as many runs reads four times as much, not sixteen', async () => {
  const few = await measured('verify', '--from', await makeRuns('few', 30, 1, 1));
  const many = await measured('verify', '--from', await makeRuns('many', 120, 1, 1));
  expect(many.reads).toBeLessThan(4.5 * few.reads);
  expect(many.readBytes).toBeLessThan(4.5 * few.readBytes);
});
