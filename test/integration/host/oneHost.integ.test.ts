/** One host file, and every surface: the same VMs by the same numbers, and one that is not served spoils no other. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as prl from '../../../lib/facade/parallels/index.js';
import * as vix from '../../../lib/facade/vixdisklib/index.js';
import { connectHost } from '../../../lib/facade/vsphere/index.js';
import { cli } from '../../helpers/cli.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let host: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  host = join(folder.path, 'host.yaml');
  const vms = [
    '{name: mail, qmp: /nowhere/mail.qmp}',
    '{name: far, libvirt: "qemu+ssh://elsewhere/system#far"}',
  ];
  await writeFile(host, `vms:\n${vms.map((vm) => `  - ${vm}\n`).join('')}`);
});
afterEach(async () => {
  prl.configureLocalServer(undefined);
  delete process.env['QEMU_CBT_HOST'];
  await folder.remove();
});

async function login(): Promise<prl.LocalServer> {
  const server = new prl.LocalServer();
  await server.login();
  return server;
}

async function told(): Promise<Map<string, string>> {
  const { stdout, stderr } = await cli('vms', '--json', '--host', host);
  expect(stderr).toBe('');
  const { vms } = JSON.parse(stdout) as { vms: { name: string; id: string }[] };
  return new Map(vms.map(({ name, id }) => [name, id]));
}

test('the numbers are the same for Parallels, vSphere and the command, also when the file changes', async () => {
  process.env['QEMU_CBT_HOST'] = host;
  const service = await connectHost();
  const shown = service.content.rootFolder.childEntity[0]!.vmFolder.childEntity;
  const numbers = new Map<string, string>();
  for (const { name } of shown) numbers.set(name, `vm-${await (await (await login()).findVm(name)).id()}`);
  expect([...numbers.keys()]).toEqual(['mail', 'far']);
  expect(await told()).toEqual(numbers);
  for (const [name, id] of numbers) {
    expect((await (await login()).findVm(id)).name).toBe(name);
    expect(shown.find((vm) => vm.name === name)!.context.host).toMatchObject({ name });
  }
  expect((await service.findByMoref(numbers.get('far')!))!._moId).toBe(numbers.get('far'));

  await writeFile(
    host,
    'vms: [{name: new, qmp: /n}, {name: far, libvirt: "qemu+ssh://elsewhere/system#far"}, {name: mail, qmp: /m}]',
  );
  const after = await told();
  expect([...numbers.values()]).not.toContain(after.get('new'));
  for (const [name, id] of numbers) expect(after.get(name)).toBe(id);
  prl.configureLocalServer(host);
  const server = await login();
  for (const vm of await server.vms()) expect(`vm-${await vm.id()}`).toBe(after.get(vm.name));
  expect((await (await connectHost({ file: host })).findVm('far'))!._moId).toBe(after.get('far'));
});

describe('a VM that is not served', () => {
  const byName = expect.stringContaining(
    'VM far: libvirt qemu+ssh://elsewhere/system#far, which is on another machine, is not served',
  );

  test('is listed with the others, which are used, and fails by its name where it is used', async () => {
    const file = join(folder.path, 'd.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'd', file }] });
    const far = `{name: far, libvirt: "qemu+ssh://elsewhere/system#far", images: {d: ${file}}}`;
    await writeFile(host, `vms: [${far}, {name: web, qmp: ${daemon.process.qmpPath}}]`);
    prl.configureLocalServer(host);
    await using server = await login();
    expect((await server.vms()).map(({ name }) => name)).toEqual(['far', 'web']);
    await using backup = await (await server.findVm('web')).beginBackup();
    expect(backup.disksCount).toBe(1);
    await backup.rollback();
    await expect((await server.findVm('far')).beginBackup()).rejects.toMatchObject({
      code: 'PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED',
      message: byName,
    });

    const service = await connectHost({ file: host });
    const web = await service.findVm('web');
    expect(web!.runtime).toMatchObject({ connectionState: 'connected', powerState: 'poweredOn' });
    const vm = (await service.findVm('far'))!;
    expect(vm.runtime.connectionState).toBe('disconnected');
    expect(() => vm.config).toThrow(expect.objectContaining({ name: 'NotSupported', message: byName }));
    for (const used of [
      () => vm.ReconfigVM_Task({ changeTrackingEnabled: true }).wait(),
      () => vm.CreateSnapshot_Task('one', '', false, false).wait(),
      () => vm.context.hold('me'),
    ])
      await expect(used()).rejects.toMatchObject({ name: 'NotSupported', message: byName });

    // Its images are nobody's to read while nobody can say whether it runs.
    expect(vix.VixDiskLib_InitEx(8, 0, null, null, null, null, null)).toBe(vix.VIX_OK);
    try {
      vix.configureVixDiskLib({ service });
      const connection = vix.ref<vix.VixDiskLibConnection>();
      expect(await vix.VixDiskLib_ConnectEx({ vmxSpec: 'far' }, true, null, null, connection)).not.toBe(
        vix.VIX_OK,
      );
      expect(connection.value).toBeUndefined();
    } finally {
      vix.VixDiskLib_Exit();
    }
  });
});

test('a host file that is wrong, or not there, is the error that each SDK has for it, with the place', async () => {
  await writeFile(host, 'vms:\n  - {name: 1, qmp: /a}\n');
  prl.configureLocalServer(host);
  const wrong = expect.stringContaining(`${host}:2:12: vms[0].name is 1`);
  await expect(login()).rejects.toMatchObject({ code: 'PRL_ERR_INVALID_PARAM', message: wrong });
  await expect(connectHost({ file: host })).rejects.toMatchObject({
    name: 'InvalidArgument',
    message: wrong,
  });
  prl.configureLocalServer(undefined);
  process.env['QEMU_CBT_HOST'] = join(folder.path, 'none.yaml');
  await expect(login()).rejects.toMatchObject({ code: 'PRL_ERR_FILE_NOT_FOUND' });
  await expect(connectHost()).rejects.toMatchObject({ name: 'InvalidState' });
});
