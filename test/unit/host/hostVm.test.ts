/** A VM of the inventory whose entry changes under whoever is asking. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { HostVm } from '../../../lib/host/hostVm.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

test('who holds it is told by the way to it, also where that changed while somebody asked', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const at = (name: string) => ({ name: 'web', qmpSocket: join(folder.path, name) });
  const vm = new HostVm(at('old.qmp'), folder.path);
  const asking = vm.holders();
  vm.become(at('new.qmp'));
  const old = await asking;
  const now = await vm.holders();
  const fresh = await new HostVm(at('new.qmp'), folder.path).holders();
  expect([now.file, now.file === old.file]).toEqual([fresh.file, false]);
  expect(await vm.holders()).toBe(now);
  vm.become({ ...at('new.qmp'), name: 'shop' });
  expect(await vm.holders()).toMatchObject({ file: now.file, name: 'shop' });
});
