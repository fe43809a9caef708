import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { startQemuNbd } from '../../helpers/nbdServers.js';
import { TOP_GUID, writeHdd, writeHds } from '../../helpers/parallelsBuilder.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeImage, path, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_OpenDisk_Local', () => {
  const tryOpen = (name: string | null, flags: number = prl.PRL_DISK_READ, policy = 0): Promise<number> =>
    prl.PrlDisk_OpenDisk_Local(ref<number>(), name, flags, policy);

  test('opens qcow2, .hds, .hdd and nbd: names', async () => {
    const { file } = await makeImage();
    expect(await tryOpen(file)).toBe(0);
    writeHds(path('a.hds'), { allocated: [1] });
    expect(await tryOpen(path('a.hds'))).toBe(0);
    const folder = writeHdd(path('d.hdd'), {
      images: [{ guid: TOP_GUID, file: 'root.hds' }],
      topGuid: TOP_GUID,
    });
    writeHds(path('d.hdd/root.hds'), { allocated: [1] });
    expect(await tryOpen(folder)).toBe(0);
    const server = await startQemuNbd(path('.'), '-r', '-f', 'qcow2', file);
    expect(await tryOpen(`nbd+unix:///?socket=${server.socket}`)).toBe(0);
    await server.stop();
    expect(await tryOpen(`nbd+unix:///?socket=${server.socket}`)).toBe(prl.PRL_ERR_FAILURE);
  });
  test('refuses NULL, what is no image, no access, and a policy of another type', async () => {
    const { file } = await makeImage();
    writeFileSync(path('text'), 'no image');
    const { PRL_ERR_INVALID_ARG } = prl;
    expect(await prl.PrlDisk_OpenDisk_Local(null, file, prl.PRL_DISK_READ, 0)).toBe(PRL_ERR_INVALID_ARG);
    expect(await tryOpen(null)).toBe(PRL_ERR_INVALID_ARG);
    expect(await tryOpen(path('nothing'))).toBe(PRL_ERR_INVALID_ARG);
    expect(await tryOpen(path('text'))).toBe(PRL_ERR_INVALID_ARG);
    expect(await tryOpen(file, prl.PRL_DISK_NOTHING)).toBe(PRL_ERR_INVALID_ARG);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    expect(await tryOpen(file, prl.PRL_DISK_READ, Number(server.value))).toBe(PRL_ERR_INVALID_ARG);
    expect(await tryOpen(file, prl.PRL_DISK_READ, 77)).toBe(0);
    const policy = ref<number>();
    expect(prl.PrlDiskOpenPolicy_CreateOffset(policy, 0)).toBe(0);
    expect(await tryOpen(file, prl.PRL_DISK_READ, Number(policy.value))).toBe(PRL_ERR_INVALID_ARG);
  });
  test('a Parallels image is never opened for writing', async () => {
    writeHds(path('a.hds'), { allocated: [1], bitmaps: [{ bits: [1] }] });
    const before = readFileSync(path('a.hds'));
    expect(await tryOpen(path('a.hds'), prl.PRL_DISK_DEFAULT)).toBe(prl.PRL_ERR_DISK_OPERATION_NOT_ALLOWED);
    expect(readFileSync(path('a.hds')).equals(before)).toBe(true);
  });
  test('what an image names is opened only where images are trusted', async () => {
    writeFileSync(path('secret'), 'S'.repeat(1 << 20));
    const names = ['-u', '-b', path('secret'), '-F', 'raw', path('over'), '1M'];
    await qemuImg('create', '-q', '-f', 'qcow2', ...names);
    expect(await tryOpen(path('over'))).toBe(prl.PRL_ERR_INVALID_ARG);
    prl.configureDisks({ trust: true });
    try {
      expect(await tryOpen(path('over'))).toBe(0);
    } finally {
      prl.configureDisks({});
    }
    await using disk = await prl.openPrlDisk(path('over'), { trust: true });
    const content = Buffer.alloc(4);
    await disk.read(0, content);
    expect(content.toString()).toBe('SSSS');
  });
});
