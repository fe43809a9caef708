/** A VM that a program holds is left as it is by everybody on this machine, and nobody begins to hold one that is being changed. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as prl from '../../../lib/facade/parallels/index.js';
import { LocalServer } from '../../../lib/facade/parallels/index.js';
import * as vix from '../../../lib/facade/vixdisklib/index.js';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { HoldStore } from '../../../lib/host/holdStore.js';
import { openDisk } from '../../../lib/host/open.js';
import { openVm } from '../../../lib/host/openVm.js';
import { connectVm } from '../../../lib/host/vm.js';
import { pathWithoutLinks } from '../../../lib/linux/pathWithoutLinks.js';
import { cli } from '../../helpers/cli.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const params = { vmxSpec: 'web' };
let folder: TemporaryFolder;
let daemon: StorageDaemon;
let socket: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const file = join(folder.path, 'd.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '16M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'd', file }] });
  await daemon.exportWritable('d');
  socket = daemon.process.file('qmp.sock');
  const entry = {
    name: 'web',
    qmpSocket: socket,
    nbdSocket: daemon.nbdPath,
    scratchFolder: folder.path,
    allowUnwatchedScratch: true,
  };
  expect(vix.VixDiskLib_InitEx(8, 0, null, null, null, null, null)).toBe(vix.VIX_OK);
  vix.configureVixDiskLib({ service: connect({ vms: [entry] }) });
  prl.configureLocalServer([
    { name: 'server', qmpSocket: socket, nbdSocket: daemon.nbdPath, scratchFolder: folder.path },
  ]);
});
afterEach(async () => {
  await vix.VixDiskLib_EndAccess(params, 'vendor');
  vix.VixDiskLib_Exit();
  prl.configureLocalServer(undefined);
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

async function parallelsVm() {
  const server = new LocalServer();
  await server.login();
  return { server, vm: await server.findVm('server') };
}

const held = expect.stringMatching(/vendor \(process \d+ on .+\) since \d{4}-\d\d-\d\dT.+Z/);

describe('a VM that is held', () => {
  test('is backed up by nobody else, whatever he calls it; questions are answered', async () => {
    const to = join(folder.path, 'backups');
    await mkdir(to);
    expect((await cli('enable', '--vm', socket)).code).toBe(0);
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'vendor')).toBe(vix.VIX_OK);

    const { server, vm } = await parallelsVm();
    await expect(vm.beginBackup()).rejects.toMatchObject({ message: held, cause: { reason: 'BUSY' } });
    for (const argv of [
      ['backup', '--vm', socket, '--nbd-socket', daemon.nbdPath, '--to', to],
      ['begin', '--vm', socket, '--nbd-socket', daemon.nbdPath],
      ['reset', '--vm', socket],
      ['disable', '--vm', socket],
    ]) {
      const { code, stderr } = await cli(...argv);
      expect([argv[0], code, stderr]).toEqual([argv[0], 5, held]);
      expect(stderr).toContain('BUSY');
    }
    await using connected = await connectVm(socket);
    await expect(connected.forget('*')).rejects.toMatchObject({ reason: 'BUSY', message: held });
    await using disk = await openDisk(`qmp:${socket}#d`, { nbdSocket: daemon.nbdPath });
    const { pits } = await disk.pits();
    expect(pits).toHaveLength(1);
    expect(await (await disk.changes({ from: pits[0]!.pit })).ranges()).toHaveLength(0);

    expect(await vix.VixDiskLib_EndAccess(params, 'vendor')).toBe(vix.VIX_OK);
    const backup = await vm.beginBackup();
    await backup.rollback();
    const done = await cli('backup', '--vm', socket, '--nbd-socket', daemon.nbdPath, '--to', to);
    expect([done.code, done.stderr]).toEqual([0, '']);
    await server.logoff();
  });
});

describe('a VM that is held and goes off', () => {
  test('is held on: its images are taken no point of, by its socket', async () => {
    expect((await cli('enable', '--vm', socket)).code).toBe(0);
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'vendor')).toBe(vix.VIX_OK);
    await daemon.process.control.execute('quit');
    await daemon.process.ended;
    await using off = await openVm({ address: socket, images: { d: join(folder.path, 'd.qcow2') } });
    expect(off.running).toBe(false);
    await expect(off.begin()).rejects.toMatchObject({ reason: 'BUSY', message: held });
  });
});

describe('a session', () => {
  test('that ends with its process keeps others from holding the VM until it ends', async () => {
    const { server, vm } = await parallelsVm();
    const backup = await vm.beginBackup({ createMap: true });
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'vendor')).toBe(vix.VIX_E_OBJECT_IS_BUSY);
    expect(vix.VixDiskLib_GetErrorText(vix.VIX_E_OBJECT_IS_BUSY, null)).toContain(
      `a session of process ${process.pid} is changing it`,
    );
    await backup.commit();
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'vendor')).toBe(vix.VIX_OK);
    await server.logoff();
  });

  test('that outlives its process does not, and is not ended while the VM is held', async () => {
    const begun = await cli(
      'begin',
      '--vm',
      socket,
      '--nbd-socket',
      daemon.nbdPath,
      '--scratch',
      folder.path,
      '--json',
    );
    expect(begun.stderr).toBe('');
    const { session } = JSON.parse(begun.stdout) as { session: string };
    expect(await vix.VixDiskLib_PrepareForAccess(params, 'vendor')).toBe(vix.VIX_OK);
    const refused = await cli('commit', '--vm', socket, '--session', session);
    expect([refused.code, refused.stderr]).toEqual([5, held]);
    expect(await vix.VixDiskLib_EndAccess(params, 'vendor')).toBe(vix.VIX_OK);
    expect((await cli('commit', '--vm', socket, '--session', session)).code).toBe(0);
    expect((await new HoldStore(pathWithoutLinks(socket)).read()).changes).toEqual([]);
  });
});
