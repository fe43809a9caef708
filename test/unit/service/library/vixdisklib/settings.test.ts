/** What a program's configuration file sets here, and whose VMs a server's name means. */
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { requireOwnName } from '../../../../../lib/service/library/vixdisklib/ownNames.js';
import { readSettings } from '../../../../../lib/service/library/vixdisklib/settings.js';
import { makeTemporaryFolder } from '../../../../helpers/temporaryFolder.js';

async function settingsOf(text: string) {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'vddk.conf');
  await writeFile(file, text);
  return readSettings(file);
}

test('takes lines of ours, and leaves those of VDDK', async () => {
  const text = [
    '# a comment',
    'tmpDirectory="/tmp"',
    'vixDiskLib.nfcAio.Session.BufSizeIn64KB=32',
    'qemu-cbt.host = /etc/host.yaml ',
    'qemu-cbt.command=/opt/qemu-cbt',
    'qemu-cbt.datastore.my store="/vms"',
    'qemu-cbt.format.raw=/dev/vg/lv',
  ].join('\n');
  expect(await settingsOf(text)).toEqual({
    host: '/etc/host.yaml',
    library: { datastores: { 'my store': '/vms' }, formats: { '/dev/vg/lv': 'raw' } },
  });
  expect(await readSettings(null)).toEqual({ host: undefined, library: {} });
});

test.each([
  ['qemu-cbt.host=relative.yaml', /vddk\.conf:1: .*absolute path/],
  ['\nqemu-cbt.hots=/etc/host.yaml', /vddk\.conf:2: .*there are host, command/],
  ['qemu-cbt.datastore=/vms', /there are host, command/],
  ['qemu-cbt.', /a line is qemu-cbt\.name=value/],
])('refuses %j with its line', async (text, message) => {
  await expect(settingsOf(text)).rejects.toThrow(message);
});

test('a file that is not there is a file not found', async () => {
  await expect(readSettings('/nonexistent/vddk.conf')).rejects.toMatchObject({ code: 4 });
});

test('this machine goes by its names and addresses, others do not', async () => {
  for (const name of [null, '', 'localhost', 'LOCALHOST', '127.0.0.1', '::1', '[::1]', hostname()])
    await requireOwnName(name);
  for (const name of ['192.0.2.1', 'vcenter.example.invalid'])
    await expect(requireOwnName(name)).rejects.toMatchObject({ code: 18000 });
});
