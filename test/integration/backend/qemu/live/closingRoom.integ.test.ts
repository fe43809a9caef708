/** A running QEMU whose image is on a full file system: it will not be able to store the bitmaps when it closes the image. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Vm } from '../../../../../lib/core/vm.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { SmallFileSystem } from '../../../../helpers/smallFileSystem.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

let small: SmallFileSystem;
let image: string;
let daemon: StorageDaemon;
let vm: Vm;

beforeEach(async () => {
  small = await SmallFileSystem.mount(8 << 20);
  image = small.file('a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  vm = await connectVm(daemon.process.qmpPath);
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await small[Symbol.asyncDispose]();
});

test('enable and reset are refused, with what is needed and where', async () => {
  await small.fill();
  for (const work of [() => vm.enable(), () => vm.reset()]) {
    const error = await refusalOf(work);
    expect(error.message).toMatch(/may need \d+ bytes, and 0 are free in .*make room first/);
    expect(error.details).toMatchObject({ freeBytes: 0, folder: small.path });
  }
  await small.empty();
  expect((await vm.enable()).disks[0]?.error).toBeUndefined();
});

test('a session that copies is begun, and says so; one that stores the bitmaps at once is refused', async () => {
  await vm.enable();
  await small.fill();
  const overlay = await refusalOf(vm.begin({ mode: 'overlay' }));
  expect(overlay.message).toMatch(/without that room it loses all of them/);
  const session = await vm.begin();
  expect(session.warnings).toEqual([expect.stringMatching(/may need \d+ bytes.*before the VM stops/)]);
  await session.commit();
  await small.empty();
  await daemon.process.terminate();
  await using disk = await openDisk(image);
  expect(await disk.pits()).toMatchObject({ state: 'recording' });
});
