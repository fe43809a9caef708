/** An overlay that waits in the folder that its session was given keeps everything away from the image, whoever asks and however. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openVm } from '../../../lib/host/openVm.js';
import { connectVm } from '../../../lib/host/vm.js';
import { cli } from '../../helpers/cli.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let image: string;
let scratch: string;
let socket: string;
let base: string;

/** A VM whose QEMU is killed in a session in overlay mode, with writes of the guest in the overlay. */
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await mkdir(join(folder.path, 'images'));
  image = join(folder.path, 'images', 'a.qcow2');
  scratch = join(folder.path, 'scratch');
  await mkdir(scratch);
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
  await using daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  await daemon.exportWritable('a');
  socket = daemon.process.qmpPath;
  await using vm = await connectVm(socket, { nbdSocket: daemon.nbdPath });
  base = String((await vm.enable()).pit);
  await vm.begin({ mode: 'overlay', nbdSocket: daemon.nbdPath, scratch: { folder: scratch } });
  await daemon.guestIo('a', 'write -P 7 1M 1M', 'flush');
  await daemon.process.kill();
});
afterEach(async () => {
  await folder.remove();
});

async function hostFile(says: object): Promise<string> {
  const file = join(folder.path, 'host.yaml');
  await writeFile(file, JSON.stringify(says));
  return file;
}
const web = () => ({ name: 'web', qmpSocket: socket, images: { a: image } });
const waits = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };

test.each([
  ['begin', ['begin']],
  ['backup', ['backup']],
  ['enable', ['enable']],
  ['forget', ['forget']],
])(
  '%s: of the VM in the host file, by its own folder or by that of all, and of its image alone',
  async (_, [name = '']) => {
    const more = { backup: ['--to', join(folder.path, 'to')], forget: ['--point', base] }[name] ?? [];
    for (const says of [
      { vms: [{ ...web(), scratchFolder: scratch }] },
      { vms: [web()], defaults: { scratchFolder: scratch } },
    ]) {
      const file = await hostFile(says);
      for (const named of [['--vm', 'web'], [image]]) {
        const refused = await cli(name, ...named, ...more, '--host', file);
        expect(refused, `${named}`).toMatchObject({
          code: 5,
          stderr: expect.stringContaining('bring it back first'),
        });
      }
    }
  },
);

test('a folder that the call names is looked at beside that of the host file', async () => {
  const elsewhere = join(folder.path, 'elsewhere');
  await mkdir(elsewhere);
  const own = await hostFile({ vms: [web()] });
  expect(await cli('begin', '--vm', 'web', '--scratch', scratch, '--host', own)).toMatchObject({ code: 5 });
  const known = await hostFile({ vms: [{ ...web(), scratchFolder: scratch }] });
  expect(await cli('begin', '--vm', 'web', '--scratch', elsewhere, '--host', known)).toMatchObject({
    code: 5,
  });
});

test('a job of the host file', async () => {
  const file = await hostFile({
    vms: [web()],
    defaults: { scratchFolder: scratch },
    jobs: [{ name: 'nightly', vms: ['web'], to: join(folder.path, 'to') }],
  });
  const ran = await cli('run', 'nightly', '--host', file);
  expect(ran.code).not.toBe(0);
  expect(`${ran.stdout}${ran.stderr}`).toContain('bring it back first');
});

test('a program that opens the VM with its folder, or names it as it begins', async () => {
  const images = { a: image };
  await using told = await openVm({ address: socket, images, format: 'qcow2', scratchFolder: scratch });
  expect(await refusalOf(told.begin())).toMatchObject(waits);
  await using places = await openVm({ images, format: 'qcow2', scratchPlaces: [scratch] });
  expect(await refusalOf(places.begin())).toMatchObject(waits);
  await using vm = await openVm({ images, format: 'qcow2' });
  expect(await refusalOf(vm.begin({ scratch: { folder: scratch } }))).toMatchObject(waits);
});

test('the advice is one that works: doctor brings it back, and the next session has what the guest wrote', async () => {
  const file = await hostFile({ vms: [{ ...web(), scratchFolder: scratch }] });
  const refused = await cli('begin', '--vm', 'web', '--host', file);
  const [, advice = ''] = /\(qemu-cbt (doctor .*?)\)/.exec(refused.stderr) ?? [];
  expect(advice.split(' ')).toEqual(['doctor', '--fix', '--scratch', scratch, image]);
  expect(await cli(...advice.split(' '))).toMatchObject({ code: 0 });
  expect(await readdir(scratch)).toEqual([]);
  await using vm = await openVm({ images: { a: image }, format: 'qcow2', scratchPlaces: [scratch] });
  await using session = await vm.begin();
  await using disk = await session.openDisk('a');
  expect(Array.from(await (await disk.changes({ from: base })).ranges())).toEqual([1 << 20, 1 << 20]);
});

test('one whose record is gone is found there too', async () => {
  const [name = ''] = await readdir(scratch);
  await rm(join(scratch, name, 'session.json'));
  const file = await hostFile({ vms: [{ ...web(), scratchFolder: scratch }] });
  expect(await cli('begin', '--vm', 'web', '--host', file)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining(join(scratch, name)),
  });
});
