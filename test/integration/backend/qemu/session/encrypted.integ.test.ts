/** Encrypted disks: QEMU has the key, so what is read through it is clear text. That is said, or refused, never silent. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../../../lib/backup/backup.js';
import { vmSource } from '../../../../../lib/backup/vmSource.js';
import { openData } from '../../../../../lib/host/data.js';
import { ImageTracking } from '../../../../../lib/host/imageTracking.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { cli } from '../../../../helpers/cli.js';
import { luksHeader } from '../../../../helpers/luksHeader.js';
import { buildQcow2 } from '../../../../helpers/qcow2Builder.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';

const SECRET = ['--object', 'secret,id=key,data=secret'];

let folder: TemporaryFolder;
const at = (name: string): string => join(folder.path, name);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const header = luksHeader('secret');
  await writeFile(at('d.qcow2'), buildQcow2({ size: 4 << 20, luksHeader: header }).bytes);
  await writeFile(at('d.luks'), Buffer.concat([header, Buffer.alloc(4 << 20)]));
});

afterEach(() => folder.remove());

const DISKS = [
  ['a qcow2 image encrypted by its format', () => ({ node: 'd', file: at('d.qcow2'), options: KEY })],
  [
    'a LUKS container',
    () => ({ node: 'd', file: at('d.luks'), driver: 'luks', options: { 'key-secret': 'key' } }),
  ],
] as const;
const KEY = { encrypt: { format: 'luks', 'key-secret': 'key' } };

describe.each(DISKS)('%s, while its VM runs', (_, disk) => {
  test('is copied with a warning that the copy is in clear; overlay mode refuses', async () => {
    await using daemon = await StorageDaemon.start({ args: SECRET, disks: [disk()] });
    await daemon.exportWritable('d');
    await daemon.guestIo('d', 'write -P 7 0 64k');
    await using vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
    const scratch = { folder: folder.path };
    const result = await backup(vmSource(vm, { scratch }), { to: at('backups') });
    expect(result.warnings.join('\n')).toMatch(/d is encrypted: .*in clear/);
    expect(result.disks).toMatchObject([{ verdict: 'full' }]);
    const error = await refusalOf(vm.begin({ mode: 'overlay', scratch }));
    expect(error).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED', disk: 'd' });
    expect(error.message).toMatch(/encrypted.*mode fleece/);
  });
});

test('without its VM, an encrypted image tells of its points and gives no data, and says why', async () => {
  await using disk = await openDisk(at('d.qcow2'));
  expect((await disk.pits()).notes.join()).toMatch(/encrypted \(luks\)/);
  for (const work of [
    () => openData({ kind: 'qemu-nbd', file: at('d.qcow2') }),
    () => new ImageTracking([at('d.qcow2')]).enable(),
  ])
    expect(await refusalOf(work)).toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { field: 'encryption', value: 'luks' },
    });
  const refused = await cli('backup', at('d.luks'), '--to', at('b'));
  expect(refused).toMatchObject({ code: 4 });
  expect(refused.stderr).toMatch(/--format raw/);
  // As it is: still encrypted.
  expect(await cli('backup', at('d.luks'), '--to', at('b'), '--format', 'raw')).toMatchObject({ code: 0 });
  expect(await cli('restore', '--from', at('b'), '--to', at('back'))).toMatchObject({ code: 0 });
  expect((await readFile(at('back'))).equals(await readFile(at('d.luks')))).toBe(true);
});
