/** A program in C that backs up a running VM by libprl_sdk, in the order of calls of the SDK's public client. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { openData } from '../../../../../lib/host/data.js';
import { COMMAND, compileProgram, runProgram } from '../../../../helpers/compiledProgram.js';
import { eventually } from '../../../../helpers/eventually.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { startGuest } from '../../../../helpers/restlessGuest.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

/** The second disk ends inside a granule. */
const SIZES = { a: 8 << 20, b: (2 << 20) + 1536 };
const NAMES = Object.keys(SIZES) as (keyof typeof SIZES)[];

let work: TemporaryFolder;
let folder: TemporaryFolder;
let daemon: StorageDaemon;
let program: string;
beforeAll(async () => {
  work = await makeTemporaryFolder();
  program = await compileProgram('abackup', work.path, 'address,undefined', [], 'parallels');
  return () => work.remove();
});
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const name of NAMES)
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, name), String(SIZES[name]));
  daemon = await StorageDaemon.start({
    disks: NAMES.map((node) => ({ node, file: join(folder.path, node) })),
  });
  await daemon.exportWritable(...NAMES);
  const vm = {
    ...{ name: 'web', qmpSocket: daemon.process.file('qmp.sock'), disks: NAMES, scratchFolder: folder.path },
    nbdSocket: daemon.nbdPath,
  };
  const vms = [{ name: 'other', qmpSocket: '/nobody' }, vm];
  await writeFile(join(folder.path, 'vms.json'), JSON.stringify({ vms }));
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const env = () => ({ QEMU_CBT_VMS: join(folder.path, 'vms.json') });

/** A run into a folder of its own; the UUID that it prints. */
async function backUp(kind: string, to: string, ...since: string[]): Promise<string> {
  await mkdir(join(folder.path, to), { recursive: true });
  const printed = await runProgram(program, [kind, 'web', join(folder.path, to), ...since], env());
  expect(printed).toMatch(/^\{[0-9a-f-]{36}\}\n$/);
  return printed.trim();
}

/** What a disk was at the last of the runs: each one's granules laid over those before, as its map names them. */
async function restored(index: number, runs: readonly string[]): Promise<Buffer> {
  const read = (run: string, kind: string) => readFile(join(folder.path, run, `${index}.${kind}`));
  const disk = await read(runs[0] ?? '', 'full');
  for (const run of runs.slice(1)) {
    const [delta, bits] = [await read(run, 'delta'), await read(run, 'cbt')];
    for (let n = 0; n * 65_536 < disk.length; n += 1)
      if (((bits[n >> 3] ?? 0) & (1 << (n & 7))) !== 0)
        delta.copy(disk, n * 65_536, n * 65_536, (n + 1) * 65_536);
  }
  return disk;
}

test('a full run and incremental ones, while the guest writes, are the disks to the byte', async () => {
  const guest = startGuest(daemon.nbdPath, NAMES);
  const full = await backUp('full', 'full');
  const first = await backUp('incremental', 'inc1', full);
  const second = await backUp('incremental', 'inc2', first);
  expect(await guest.stop()).toBeGreaterThan(10);
  const last = await backUp('incremental', 'inc3', second);
  // Nothing was written after that.
  await backUp('incremental', 'inc4', last);
  expect([...(await readFile(join(folder.path, 'inc4', '0.cbt')))].every((byte) => byte === 0)).toBe(true);
  for (const [index, name] of NAMES.entries()) {
    await using disk = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: name });
    const now = await disk.read(0, SIZES[name]);
    expect((await restored(index, ['full', 'inc1', 'inc2', 'inc3'])).equals(now)).toBe(true);
  }
});

test('a point that is not there is an error in words, and the program that leaves then keeps nothing', async () => {
  await expect(backUp('incremental', 'inc', '{00000000-1111-4222-8333-444444444444}')).rejects.toThrow(
    'PIT 00000000-1111-4222-8333-444444444444 is not on this disk',
  );
  await eventually(() => backUp('full', 'full'));
});

test('a program that is killed in the middle of a backup leaves no point and no session behind', async () => {
  const kept = await backUp('full', 'full');
  const held = spawn(program, ['hold', 'web'], {
    env: { ...process.env, QEMU_CBT_COMMAND: COMMAND, ...env() },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void held.kill('SIGKILL'));
  await once(held.stdout, 'data');
  expect(await points()).toHaveLength(2);
  held.kill('SIGKILL');
  await eventually(async () => expect(await points()).toEqual([kept.slice(1, -1)]));
  await backUp('incremental', 'next', kept);
});

/** Points in time of disk `a`, as its bitmaps are named by them. */
async function points(): Promise<string[]> {
  const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
    'node-name': string;
    'dirty-bitmaps'?: { name?: string }[];
  }[];
  const bitmaps = nodes.find((node) => node['node-name'] === 'a')?.['dirty-bitmaps'] ?? [];
  const named = bitmaps.map(({ name = '' }) => name).filter((name) => name.startsWith('cbt1.'));
  return [...new Set(named.map((name) => name.slice(name.lastIndexOf('.') + 1)))];
}
