/** Backup Exec 100033481: from vSphere 6.5 on a damaged map was no longer noticed.
 * Here: a stored bitmap that its writer never closed is found, and its changeId is a fault that says why. */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { enable, faultOf, pointInTime, snapshot, startOn, startVm } from '../vsphere/support.js';

test('a stored bitmap that is damaged', async () => {
  const { vm, daemon, folder, key } = await startVm();
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.process.control.execute('quit');
  await daemon.process.ended;
  const image = await open(join(folder, 'd.qcow2'), 'r+');
  const bytes = await image.readFile();
  // The entry of the directory that is in force: name at its offset 24, flags at 12; bit 0 is in_use.
  for (let at = bytes.indexOf('cbt1.'); at >= 0; at = bytes.indexOf('cbt1.', at + 1))
    await image.write(Buffer.from([0, 0, 0, bytes.readUInt8(at - 24 + 15) | 1]), 0, 4, at - 24 + 12);
  await image.close();
  const next = await startOn(folder);
  const { reference } = await snapshot(next.vm);
  const fault = await faultOf(next.vm.QueryChangedDiskAreas(reference, key, 0, base));
  expect(fault.name).toBe('FileFault');
});
