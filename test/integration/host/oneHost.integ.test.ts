/** One host file, and every surface: the same VMs by the same numbers, and one that is not served spoils no other. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as prl from '../../../lib/facade/parallels/index.js';
import * as vix from '../../../lib/facade/vixdisklib/index.js';
import { connect, connectHost, type ServiceInstance } from '../../../lib/facade/vsphere/index.js';
import { idText } from '../../../lib/host/hostVm.js';
import { Inventory } from '../../../lib/index.js';
import { cli } from '../../helpers/cli.js';
import { type FakeDomain, FakeLibvirt } from '../../helpers/fakeLibvirt.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let host: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  host = join(folder.path, 'host.yaml');
  const vms = [
    '{name: mail, qmpSocket: /nowhere/mail.qmp}',
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
    'vms: [{name: new, qmpSocket: /n}, {name: far, libvirt: "qemu+ssh://elsewhere/system#far"}, {name: mail, qmpSocket: /m}]',
  );
  const after = await told();
  expect([...numbers.values()]).not.toContain(after.get('new'));
  for (const [name, id] of numbers) expect(after.get(name)).toBe(id);
  prl.configureLocalServer(host);
  const server = await login();
  for (const vm of await server.vms()) expect(`vm-${await vm.id()}`).toBe(after.get(vm.name));
  expect((await (await connectHost({ file: host })).findVm('far'))!._moId).toBe(after.get('far'));
});

describe('domains of a libvirt', () => {
  const SHOP = 'aaaaaaaa-1111-4222-8333-444444444444';
  const BLOG = 'bbbbbbbb-1111-4222-8333-444444444444';
  /** Of a domain that is off. */
  async function domain(name: string, uuid: string): Promise<FakeDomain> {
    const file = join(folder.path, `${name}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
    const disk = `<disk type='file' device='disk'><driver type='qcow2'/><source file='${file}'/><target dev='vda'/></disk>`;
    return { name, uuid, xml: `<domain><name>${name}</name><devices>${disk}</devices></domain>`, qmp: null };
  }
  const write = (vms: string, libvirt: FakeLibvirt | null): Promise<void> =>
    writeFile(host, `vms: [${vms}]${libvirt === null ? '' : `\nlibvirt: ["${libvirt.uri}"]`}`);
  const morefs = (service: ServiceInstance): Promise<Map<string, string>> =>
    service.vms().then(async (vms) => {
      for (const vm of vms) await vm.identify();
      return new Map(vms.map(({ name, value }) => [name, value]));
    });

  test('have one number each, whoever is asked', async () => {
    await using libvirt = await FakeLibvirt.start([await domain('shop', SHOP), await domain('blog', BLOG)]);
    await write('{name: mail, qmpSocket: /nowhere/mail.qmp}', libvirt);
    process.env['QEMU_CBT_HOST'] = host;
    const service = await connectHost();
    const numbers = await morefs(service);
    expect([...numbers.keys()]).toEqual(['mail', 'blog', 'shop']);
    expect(new Set(numbers.values()).size).toBe(3);
    expect(await told()).toEqual(numbers);
    const inventory = new Inventory();
    for (const vm of await inventory.vms()) expect(`vm-${await vm.id()}`).toBe(numbers.get(vm.name));
    expect(`vm-${await (await inventory.require(`libvirt:${libvirt.uri}#shop`)).id()}`).toBe(
      numbers.get('shop'),
    );
    for (const vm of await (await login()).vms()) expect(`vm-${await vm.id()}`).toBe(numbers.get(vm.name));

    // What is remembered of it is the same too: tracking that one switched on is another's.
    const shop = (await service.findVm('shop'))!;
    await shop.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const again = (await (await connectHost()).findByMoref(numbers.get('shop')!))!;
    expect([again.name, again.config.changeTrackingEnabled]).toEqual(['shop', true]);
    expect((await service.findVm(SHOP.toUpperCase()))!.name).toBe('shop');
  });

  test('that the file names, by any name of theirs, are those VMs: one number, one record, in every process and surface', async () => {
    await using libvirt = await FakeLibvirt.start([await domain('shop', SHOP), await domain('blog', BLOG)]);
    const byUri = `libvirt:${libvirt.uri}#shop`;
    // Known by its address before anybody gave it a name.
    const before = idText(await (await new Inventory({ vms: [] }).require(byUri)).id());
    await write(
      `{name: mine, libvirt: "${libvirt.uri}#shop"}, {name: other, libvirt: "${libvirt.uri}#${BLOG}"}`,
      libvirt,
    );
    process.env['QEMU_CBT_HOST'] = host;
    const numbers = await told();
    expect([...numbers.keys()]).toEqual(['mine', 'other']);
    expect(numbers.get('mine')).toBe(before);
    const inventory = new Inventory();
    for (const name of [byUri, `libvirt:${libvirt.uri}#${SHOP}`, SHOP, before, 'mine']) {
      const vm = await inventory.require(name);
      expect([name, vm.name, idText(await vm.id())]).toEqual([name, 'mine', before]);
    }
    expect(await inventory.findDisk(`${byUri}#vda`)).toMatchObject({ vm: { name: 'mine' }, disk: 'vda' });
    // Programs without the file, and lists of a libvirt's own.
    for (const vm of await new Inventory({ vms: [] }).domainsOf(libvirt.uri))
      expect([...numbers.values()]).toContain(idText(await vm.id()));
    expect(idText(await (await new Inventory({ vms: [] }).require(`libvirt:${libvirt.uri}#blog`)).id())).toBe(
      numbers.get('other'),
    );
    const service = await connectHost();
    expect(await morefs(service)).toEqual(numbers);
    await (await service.findVm(SHOP))!.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    expect((await (await inventory.require(byUri)).records.read()).trackingEnabled).toBe(true);
    expect(idText(await (await (await login()).findVm('mine')).id())).toBe(before);

    // A file that cannot be read keeps nobody from a VM that is named in full.
    await writeFile(host, 'vms: 3');
    expect(idText(await (await new Inventory().require(byUri)).id())).toBe(before);
    await write(
      `{name: mine, libvirt: "${libvirt.uri}#shop"}, {name: twin, libvirt: "${libvirt.uri}#${SHOP}"}`,
      null,
    );
    await expect(new Inventory().require(byUri)).rejects.toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      message: expect.stringContaining('it is mine and twin'),
    });
  });

  test('come, go and are silent while a service runs', async () => {
    await using libvirt = await FakeLibvirt.start([await domain('shop', SHOP)]);
    await write('', libvirt);
    const service = await connectHost({ file: host });
    const shop = (await service.findVm('shop'))!;
    await libvirt.add(await domain('blog', BLOG));
    expect((await service.findVm('blog'))!.config.uuid).toBe(BLOG);
    expect(await service.findVm('shop')).toBe(shop);
    const numbers = await morefs(service);

    libvirt.away = true;
    libvirt.drop();
    // Nobody knows what it has by now: what it had is not gone.
    expect([...(await morefs(service)).keys()]).toEqual(['blog', 'shop', `libvirt:${libvirt.uri}`]);
    await service.reload();
    expect([...(await morefs(service)).keys()]).toEqual(['blog', 'shop', `libvirt:${libvirt.uri}`]);
    await expect(shop.refresh()).rejects.toMatchObject({ name: 'InvalidState' });
    libvirt.away = false;
    await expect(shop.refresh()).resolves.toBe(shop);
    expect(await morefs(service)).toEqual(numbers);

    libvirt.rename(SHOP, 'store');
    expect(await service.findVm('store')).toBe(shop);
    expect(shop.value).toBe(numbers.get('shop'));
    expect(await service.findVm('shop')).toBeNull();
  });
});

describe('a host file that is read again', () => {
  const gone = expect.objectContaining({ name: 'ManagedObjectNotFound' });

  test('VMs that stay are the same objects by the same numbers, new ones appear, those that are gone say so', async () => {
    const image = join(folder.path, 'mail.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    const mail = (qmp: string, more = '') =>
      `{name: mail, qmpSocket: ${qmp}, images: {vda: ${image}}${more}}`;
    await writeFile(host, `vms: [${mail('/nowhere/a.qmp')}, {name: old, qmpSocket: /nowhere/old.qmp}]`);
    const service = await connectHost({ file: host });
    const [kept, old] = await service.vms();
    await kept!.refresh();
    await old!.identify();
    const folderOfVms = service.content.rootFolder.childEntity[0]!.vmFolder;
    const before = kept!.value;
    await kept!.ReconfigVM_Task({ changeTrackingEnabled: true }).wait();
    const snapshot = await kept!.CreateSnapshot_Task('one', '', false, false).wait();
    await kept!.context.hold('me');

    await writeFile(
      host,
      `vms: [{name: new, qmpSocket: /nowhere/new.qmp}, ${mail('/nowhere/a.qmp', ', disks: [vda]')}]`,
    );
    await service.reload();
    expect(folderOfVms.childEntity.map(({ name }) => name)).toEqual(['new', 'mail']);
    expect(folderOfVms.childEntity[1]).toBe(kept);
    expect(await service.findVm('mail')).toBe(kept);
    expect(kept!.value).toBe(before);
    expect(kept!.entry).toMatchObject({ qmpSocket: '/nowhere/a.qmp', disks: ['vda'] });
    expect(await kept!.context.letGo('me')).toBe(true);
    expect((await kept!.findSnapshot(snapshot)).value).toBe(snapshot.value);

    expect([old!.name, await service.findVm('old'), await service.findByMoref(old!.value)]).toEqual([
      'old',
      null,
      null,
    ]);
    for (const asked of [
      () => old!.refresh(),
      async () => old!.config,
      async () => old!.runtime,
      async () => old!.ReconfigVM_Task({ changeTrackingEnabled: true }),
      () => old!.QueryChangedDiskAreas(null, 2000, 0, '*'),
      () => old!.findSnapshot('snapshot-1'),
    ])
      await expect(asked()).rejects.toEqual(gone);

    // A file with an error changes nothing, and says where.
    await writeFile(host, 'vms: 3');
    await expect(service.reload()).rejects.toMatchObject({ name: 'InvalidArgument', message: /:1:6: / });
    expect(folderOfVms.childEntity.map(({ name }) => name)).toEqual(['new', 'mail']);

    // One that comes back has its number, and is itself.
    await writeFile(host, 'vms: [{name: old, qmpSocket: /nowhere/old.qmp}]');
    await service.reload();
    expect((await service.vms())[0]).toBe(old);
    await expect(kept!.refresh()).rejects.toEqual(gone);
    expect(() => snapshot.RemoveSnapshot_Task(false)).toThrow(gone);
  });

  test('a service of VMs that a program passed keeps them', async () => {
    const service = connect({ vms: [{ name: 'web', qmpSocket: '/nowhere/web.qmp' }] });
    const [web] = await service.vms();
    await service.reload();
    expect(await service.vms()).toEqual([web]);
    expect((await service.vms())[0]).toBe(web);
  });
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
    await writeFile(host, `vms: [${far}, {name: web, qmpSocket: ${daemon.process.qmpPath}}]`);
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
  await writeFile(host, 'vms:\n  - {name: 1, qmpSocket: /a}\n');
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
