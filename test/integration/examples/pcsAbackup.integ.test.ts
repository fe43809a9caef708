/** The example for the Parallels SDK, compiled and run as its reader would, on a QEMU whose disks are written all the time. */
import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openData } from '../../../lib/host/data.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { startGuest } from '../../helpers/restlessGuest.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const program = join(root, 'build/examples/pcs-abackup/abackup.js');
/** The second disk ends inside a granule. */
const SIZES = { a: 8 << 20, b: (2 << 20) + 1536 };

let folder: TemporaryFolder;
let daemon: StorageDaemon;

beforeAll(async () => {
  await run('npx', ['tsc', '-p', 'examples/pcs-abackup'], { cwd: root });
});
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const [name, bytes] of Object.entries(SIZES))
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, name), String(bytes));
  await start(...Object.keys(SIZES));
});
/** The VM, its drives `a` and `b` on these files. */
async function start(...files: string[]): Promise<void> {
  daemon = await StorageDaemon.start({
    disks: Object.keys(SIZES).map((node, n) => ({ node, file: join(folder.path, files[n] ?? '') })),
  });
  await daemon.exportWritable(...Object.keys(SIZES));
  const vm = {
    name: 'web',
    qmpSocket: daemon.process.file('qmp.sock'),
    disks: Object.keys(SIZES),
    scratchFolder: folder.path,
    nbdSocket: daemon.nbdPath,
  };
  await writeFile(join(folder.path, 'vms.json'), JSON.stringify({ vms: [vm] }));
}
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const abackup = (...args: string[]): Promise<{ stderr: string }> =>
  run('node', [program, ...args], {
    env: { ...process.env, QEMU_CBT_VMS: join(folder.path, 'vms.json') },
  });

test('full and incremental runs under a writing guest restore to what the disks hold', async () => {
  const at = (name: string): string => join(folder.path, name);
  const guest = startGuest(daemon.nbdPath, Object.keys(SIZES));
  await abackup('full', 'web', at('full'));
  await abackup('incremental', 'web', at('inc1'), at('full'));
  await abackup('incremental', 'web', at('inc2'), at('inc1'));
  expect(await guest.stop()).toBeGreaterThan(10);
  const { stderr } = await abackup('incremental', 'web', at('inc3'), at('inc2'));
  expect(stderr).toBe('');
  expect((await readFile(at('inc3/uuid'), 'utf8')).trim()).toMatch(/^\{[0-9a-f-]{36}\}$/);
  await abackup('restore', at('full'), at('inc1'), at('inc2'), at('inc3'), at('out'));
  for (const [index, [name, bytes]] of Object.entries(SIZES).entries()) {
    await using disk = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: name });
    const now = await disk.read(0, bytes);
    const restored = await readFile(at(`out/${index}.raw`));
    expect(restored.length).toBe(bytes);
    expect(restored.equals(now)).toBe(true);
    // Sparse: what was never written takes no room.
    expect((await stat(at(`inc1/${index}.delta`))).size).toBe(bytes);
  }
});

test('drives that changed places are copied in full: the point is on both, and their histories tell them apart', async () => {
  const at = (name: string): string => join(folder.path, name);
  await daemon.guestIo('a', 'write -P 1 0 64k');
  await daemon.guestIo('b', 'write -P 2 0 64k');
  await abackup('full', 'web', at('full'));
  await abackup('incremental', 'web', at('inc'), at('full'));
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  await start('b', 'a');
  await abackup('incremental', 'web', at('exchanged'), at('inc'));
  for (const [index, name] of ['b', 'a'].entries()) {
    const full = await readFile(at(`exchanged/${index}.full`));
    expect(full.length).toBe(SIZES[name as keyof typeof SIZES]);
    expect(full[0]).toBe(name === 'a' ? 1 : 2);
  }
  await abackup('incremental', 'web', at('next'), at('exchanged'));
  expect((await stat(at('next/0.delta'))).size).toBe(SIZES.b);
});

test('a point that is gone means a full backup of the disk, said in words', async () => {
  const at = (name: string): string => join(folder.path, name);
  await abackup('full', 'web', at('full'));
  await writeFile(at('full/uuid'), '{00000000-1111-4222-8333-444444444444}\n');
  const { stderr } = await abackup('incremental', 'web', at('next'), at('full'));
  expect(stderr).toContain('00000000-1111-4222-8333-444444444444 is not on this disk');
  expect((await stat(at('next/0.full'))).size).toBe(SIZES.a);
});
