/**
 * Before the first write of a restore onto images: who needs one as it is although nobody has it open, and whether it is still the image
 * that was looked at. After it: every way out says what may be restored in part.
 */
import { renameSync } from 'node:fs';
import { copyFile, open, rename, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restoreOnto } from '../../../lib/backup/restoreOnto.js';
import { cli, cliWith } from '../../helpers/cli.js';
import { FakeLibvirt } from '../../helpers/fakeLibvirt.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const SIZE = 4 << 20;
const UUID = 'aaaaaaaa-1111-4222-8333-444444444444';

let folder: TemporaryFolder;
let from: string;
let image: string;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [from, image] = [at('backups'), at('disk.qcow2')];
  await newImage(image);
  await io(image, 'write -P 1 0 64k');
});
afterEach(() => folder.remove());

const newImage = (path: string) => qemuImg('create', '-q', '-f', 'qcow2', path, String(SIZE));
const io = (path: string, ...commands: string[]) => qemuIo(['-f', 'qcow2', path], ...commands);
const run = (...images: string[]) => backup(imagesSource(images), { to: from });

function domain(file: string, saved = false) {
  const xml = `<domain><name>web</name><devices><disk type='file' device='disk'><driver type='qcow2'/><source file='${file}'/><target dev='vda'/></disk></devices></domain>`;
  return { name: 'web', uuid: UUID, xml, qmp: null, saved };
}

test('RAM that libvirt saved goes on with the image: it is refused, whatever it is named by, and by force too', async () => {
  await run(image);
  await io(image, 'write -P 2 0 64k');
  await using libvirt = await FakeLibvirt.start([domain(image, true)]);
  const env = { LIBVIRT_DEFAULT_URI: libvirt.uri };
  for (const onto of [image, `libvirt:${libvirt.uri}#web`])
    for (const force of [[], ['--force']]) {
      const { code, stderr } = await cliWith({ env }, 'restore', '--from', from, '--onto', onto, ...force);
      expect(code).toBe(5);
      expect(stderr).toMatch(/BUSY/);
      expect(stderr).toMatch(/virsh managedsave-remove web/);
    }
  await io(image, 'read -P 2 0 64k');
  await using other = await FakeLibvirt.start([domain(image)]);
  const done = await cli('restore', '--from', from, '--onto', `libvirt:${other.uri}#web`);
  expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' });
});

test('an image below an overlay is refused: beside it, and as a disk of a domain elsewhere', async () => {
  await run(image);
  await io(image, 'write -P 2 0 64k');
  const overlay = at('disk.snap1');
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', 'disk.qcow2', overlay);
  const beside = await refusalOf(restoreOnto({ from, onto: [{ image }] }));
  expect(beside).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
  expect(beside.message).toMatch(/disk\.snap1 stands on it.*--force/);
  const elsewhere = await makeTemporaryFolder();
  try {
    const clone = join(elsewhere.path, 'clone.qcow2');
    await rename(overlay, at('backups', 'x'));
    await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image, clone);
    await using libvirt = await FakeLibvirt.start([domain(clone)]);
    const libvirts = [libvirt.uri];
    const error = await refusalOf(restoreOnto({ from, onto: [{ image }], libvirts }));
    expect(error).toMatchObject({ reason: 'BUSY' });
    expect(error.message).toMatch(/clone\.qcow2, disk vda of libvirt domain web, stands on it/);
    await io(image, 'read -P 2 0 64k');
    const forced = await restoreOnto({ from, onto: [{ image }], libvirts, force: true });
    expect(forced.disks).toMatchObject([{ writtenBytes: 65_536 }]);
  } finally {
    await elsewhere.remove();
  }
});

test('a libvirt that was named and does not answer may have a domain that needs the image', async () => {
  await run(image);
  await io(image, 'write -P 2 0 64k');
  const libvirts = [`qemu:///system?socket=${at('nobody')}`];
  const error = await refusalOf(restoreOnto({ from, onto: [{ image }], libvirts }));
  expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
  expect(error.message).toMatch(/whether a domain needs it is not known: no libvirt answers.*--force/);
  await io(image, 'read -P 2 0 64k');
  await restoreOnto({ from, onto: [{ image }], libvirts, force: true });
  await io(image, 'read -P 1 0 64k');
});

test('an image that another one took the place of since it was looked at is not written to, nor is any other', async () => {
  const second = at('second.qcow2');
  await newImage(second);
  await run(image, second);
  await io(image, 'write -P 2 0 64k');
  await io(second, 'write -P 2 0 64k');
  const stranger = at('stranger.qcow2');
  await copyFile(second, stranger);
  await io(stranger, 'write -P 3 1M 64k');
  const onto = [{ image }, { image: second }];
  // Looked through for the first time when an image is to be held: all are known by then.
  const swap = [at('nowhere')];
  let swapped = false;
  Object.defineProperty(swap, Symbol.iterator, {
    value: () => {
      if (!swapped) renameSync(stranger, second);
      swapped = true;
      return [at('nowhere')][Symbol.iterator]();
    },
  });
  const error = await refusalOf(restoreOnto({ from, onto, scratchPlaces: swap }));
  expect(error).toMatchObject({ reason: 'BUSY' });
  expect(error.message).toMatch(/second\.qcow2 was not written to: it is another image/);
  // Each still has what was written last.
  await io(image, 'read -P 2 0 64k');
  await io(second, 'read -P 3 1M 64k');
});

test('who is called off in the middle is told which image may be restored in part', async () => {
  await io(image, `write -P 1 0 ${SIZE}`);
  await run(image);
  expect(
    (await refusalOf(restoreOnto({ from, onto: [{ image }], signal: AbortSignal.abort() }))).message,
  ).not.toMatch(/in part/);
  await io(image, `write -P 2 0 ${SIZE}`);
  const stop = new AbortController();
  // The second piece is asked for when the first is on its way.
  let told = 0;
  const onProgress = (): void => {
    told += 1;
    if (told === 3) stop.abort();
  };
  const error = await refusalOf(restoreOnto({ from, onto: [{ image }], signal: stop.signal, onProgress }));
  expect(error.code).toBe('ERR_CBT_ABORTED');
  expect(error.message).toMatch(/disk\.qcow2 may be restored in part: the same command goes on from there/);
});

test('a layer that is damaged spoils its own disk alone, and only what was begun is told as in part', async () => {
  const large = at('large.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', large, '32M');
  await io(large, 'write -P 1 0 32M');
  await run(image, large);
  for (const one of [image, large]) await io(one, 'write -P 2 0 64k');
  await io(large, 'write -P 2 0 32M');
  const layer = await open(at('backups', 'large-000001.qcow2'), 'r+');
  await layer.write(Buffer.alloc(512, 9), 0, 512, 24 << 20);
  await layer.close();
  const { disks } = await restoreOnto({ from, onto: [{ image: large }, { image }] });
  expect(disks).toMatchObject([
    {
      error: {
        code: 'ERR_CBT_CORRUPT_IMAGE',
        message: expect.stringMatching(/large\.qcow2 may be restored in part/),
      },
    },
    { writtenBytes: 65_536 },
  ]);
  await truncate(at('backups', 'large-000001.qcow2'), 100);
  const untouched = await refusalOf(restoreOnto({ from, onto: [{ image: large }] }));
  expect(untouched.code).toBe('ERR_CBT_CORRUPT_IMAGE');
  expect(untouched.message).not.toMatch(/in part/);
});

test('a plain name of a file here is an image; a file without history is known by its path and its size', async () => {
  const raw = at('disk.raw');
  await qemuImg('convert', '-O', 'raw', image, raw);
  const other = at('others');
  await backup(imagesSource([raw], { format: 'raw' }), { to: other });
  await qemuImg('resize', '-q', '-f', 'raw', raw, '5M');
  expect(
    (await refusalOf(restoreOnto({ from: other, onto: [{ image: raw, format: 'raw' }] }))).message,
  ).toMatch(/knows nothing of it: name the disk/);
  await run(image);
  const here = process.cwd();
  process.chdir(folder.path);
  try {
    const done = await cli('restore', '--from', from, '--onto', 'disk.qcow2');
    expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' });
  } finally {
    process.chdir(here);
  }
});

test('below an overlay of libvirt’s the points answer, and go on answering', async () => {
  await run(image);
  const overlay = at('over.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', image, overlay);
  await io(overlay, 'write -P 3 0 64k');
  const { disks } = await restoreOnto({ from, onto: [{ image: overlay, format: 'qcow2' }] });
  expect(disks).toMatchObject([{ by: 'content', points: 'kept', writtenBytes: 65_536 }]);
});
