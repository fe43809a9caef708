/** The example for vSphere and VDDK, compiled and run as its reader would, on a QEMU whose disk is written all the time. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openData } from '../../../lib/host/data.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const SIZE = 16 << 20;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
const at = (name: string): string => join(folder.path, name);

beforeAll(async () => {
  await run('npx', ['tsc', '-p', 'examples/vmware-cbt-backup'], { cwd: root });
});
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', at('d.qcow2'), String(SIZE));
  daemon = await StorageDaemon.start({ disks: [{ node: 'd', file: at('d.qcow2') }] });
  await daemon.exportWritable('d');
  const vm = {
    name: 'web',
    qmpSocket: daemon.process.file('qmp.sock'),
    nbdSocket: daemon.nbdPath,
    scratchFolder: folder.path,
  };
  await writeFile(
    at('vms.json'),
    JSON.stringify({ vms: [{ ...vm, disks: ['d'] }], stateFolder: at('state') }),
  );
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

async function backup(): Promise<string> {
  const program = join(root, 'build/examples/vmware-cbt-backup/backup.js');
  const { stdout } = await run('node', [program, at('vms.json'), 'web', at('backup')]);
  return stdout;
}

test('a full and two incremental runs under a writing guest give the disk', async () => {
  await using guest = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'd' });
  await guest.write(0, Buffer.alloc(3 << 20, 1));
  let going = true;
  const writing = (async () => {
    for (let n = 0; going; n += 1)
      await guest.write((Math.imul(n, 40503) & 0x7fff) * 512, Buffer.alloc(512, 1 + (n % 255)));
  })();
  expect(await backup()).toMatch(/full/);
  expect(await backup()).toMatch(/incremental/);
  going = false;
  await writing;
  expect(await backup()).toMatch(/incremental/);
  const [key] = Object.keys(JSON.parse(await readFile(at('backup/changeids.json'), 'utf8')));
  const restored = await readFile(at(`backup/${key}.raw`));
  expect(restored.equals(await guest.read(0, SIZE))).toBe(true);
});
