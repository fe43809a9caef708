import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
import { path, prl, ref, useLibrary } from '../parallels/support.js';

useLibrary();

test('P15: an image that names another opens only where images are trusted', async () => {
  writeFileSync(path('host'), 'a file of the host');
  await qemuImg('create', '-q', '-f', 'qcow2', '-u', '-b', path('host'), '-F', 'raw', path('over'), '1M');
  const open = (): Promise<number> =>
    prl.PrlDisk_OpenDisk_Local(ref<number>(), path('over'), prl.PRL_DISK_READ, 0);
  expect(await open()).toBe(prl.PRL_ERR_INVALID_ARG);
  prl.configureDisks({ trust: true });
  try {
    expect(await open()).toBe(0);
  } finally {
    prl.configureDisks({});
  }
});
