import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDiskName, parseVmName } from '../../../lib/host/diskName.js';
import { Inventory } from '../../../lib/host/inventory.js';
import { Inventory as PublicInventory } from '../../../lib/index.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

const UUID = '5f0c4a3e-9a0b-4a57-9f3e-1d2c3b4a5968';
const vms = (...names: string[]) => names.map((name) => ({ name, qmpSocket: `/nowhere/${name}.qmp` }));

describe('what a name may be', () => {
  test.each([
    ['disk.qcow2', { kind: 'path', path: 'disk.qcow2' }],
    ['/a/web#vda', { kind: 'path', path: '/a/web#vda' }],
    ['./web#vda', { kind: 'path', path: './web#vda' }],
    ['#vda', { kind: 'path', path: '#vda' }],
    ['web#vda', { kind: 'vm', vm: 'web', disk: 'vda' }],
    ['web#/machine/peripheral/vda', { kind: 'vm', vm: 'web', disk: '/machine/peripheral/vda' }],
    ['web#a#b', { kind: 'vm', vm: 'web', disk: 'a#b' }],
    ['qmp:/run/web.qmp#vda', { kind: 'qmp', socket: '/run/web.qmp', disk: 'vda' }],
    [
      'libvirt:qemu:///system#web#vda',
      { kind: 'libvirt', uri: 'qemu:///system', domain: 'web', disk: 'vda' },
    ],
  ])('the disk %s', (name, parsed) => {
    expect(parseDiskName(name)).toEqual(parsed);
  });

  test.each([
    ['web', { kind: 'vm', vm: 'web', disk: '' }],
    ['./web', { kind: 'path', path: './web' }],
    ['/run/a#b.qmp', { kind: 'path', path: '/run/a#b.qmp' }],
    ['qmp:web.qmp', { kind: 'qmp', socket: 'web.qmp', disk: '' }],
    ['libvirt:qemu:///session#web', { kind: 'libvirt', uri: 'qemu:///session', domain: 'web', disk: '' }],
  ])('the VM %s', (name, parsed) => {
    expect(parseVmName(name)).toEqual(parsed);
  });

  test.each(['', 'a\0b', 'web#', 'qmp:', 'libvirt:qemu:///system', 'rbd:pool/image'])(
    '%j names no disk',
    (name) => {
      expect(() => parseDiskName(name)).toThrow(expect.objectContaining({ name: 'CbtError' }));
    },
  );

  test('a disk is no VM', () => {
    expect(() => parseVmName('qmp:/run/web.qmp#vda')).toThrow('without a disk');
    expect(() => parseVmName('libvirt:qemu:///system#a#vda')).toThrow('without a disk');
  });
});

describe('the VMs that a program passes', () => {
  test('are checked before anything is asked; a name of two is refused with both', async () => {
    expect(PublicInventory).toBe(Inventory);
    expect(() => new Inventory({ fiel: '/x' } as never)).toThrow('fiel');
    expect(() => new Inventory({ vms: [{ name: 'web' }] })).toThrow('vms[0].qmp');
    const twins = new Inventory({ vms: [...vms('web'), { name: 'web', qmpSocket: '/elsewhere/web.qmp' }] });
    await expect(twins.find('web')).rejects.toThrow('/nowhere/web.qmp and /elsewhere/web.qmp');
  });

  test('are found by their exact names; no file is read', async () => {
    const inventory = new Inventory({ vms: vms('web', 'Web'), file: '/nowhere.yaml' });
    expect((await inventory.find('Web'))?.address).toBe('/nowhere/Web.qmp');
    expect(await inventory.find('WEB')).toBeNull();
    expect((await inventory.find('/run/other.qmp'))?.address).toBe('/run/other.qmp');
    expect((await inventory.find('qmp:other.qmp'))?.address).toBe('other.qmp');
    await expect(inventory.require('WEB')).rejects.toThrow('a VM of this program: web, Web');
  });

  test('a name that is a UUID goes before the VM that has it', async () => {
    const [first, second] = vms(UUID, 'web');
    const inventory = new Inventory({ vms: [{ ...second!, uuid: UUID }, first!] });
    expect((await inventory.find(UUID))?.name).toBe(UUID);
    expect((await inventory.find(`{${UUID.toUpperCase()}}`))?.name).toBe('web');
  });

  test('a UUID of two is refused with both', async () => {
    const inventory = new Inventory({ vms: vms('web', 'copy').map((vm) => ({ ...vm, uuid: UUID })) });
    await expect(inventory.find(UUID)).rejects.toThrow('web, copy');
  });

  test('a UUID that nobody told is not taken for one that nobody has', async () => {
    const inventory = new Inventory({ vms: vms('web') });
    await expect(inventory.find(UUID)).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      message: expect.stringContaining('web did not tell its own'),
    });
  });
});

test('the number of a VM finds it, in whatever order and by whichever inventory; an exact name goes before', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const stateFolder = join(folder.path, 'state');
    const inventory = new Inventory({ vms: vms('web', 'db'), stateFolder });
    const idOf = async (name: string) => (await inventory.require(name)).id();
    const [web, db] = [await idOf('web'), await idOf('db')];
    expect(web).not.toBe(db);
    const turned = new Inventory({ vms: vms('new', 'db', 'web'), stateFolder });
    expect((await turned.find(`vm-${web}`))?.name).toBe('web');
    expect((await turned.find(`vm-${db}`))?.name).toBe('db');
    expect(await turned.findDisk(`vm-${db}#vda`)).toMatchObject({ vm: { name: 'db' }, disk: 'vda' });
    expect([web, db]).not.toContain(await (await turned.require('new')).id());
    expect(await turned.find('vm-999')).toBeNull();
    const named = new Inventory({ vms: vms('web', `vm-${web}`), stateFolder });
    expect((await named.find(`vm-${web}`))?.name).toBe(`vm-${web}`);
  } finally {
    await folder.remove();
  }
});

test('a file is read again when it is asked for, and one with an error changes nothing', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const file = join(folder.path, 'host.yaml');
    const names = async () => (await inventory.vms()).map(({ name }) => name);
    await writeFile(file, 'vms: [{name: web, qmpSocket: /x}]');
    const inventory = new Inventory({ file });
    expect(await names()).toEqual(['web']);
    await writeFile(file, 'vms: [{name: db, qmpSocket: /x}]\ndefaults: {scratchFolder: /s}');
    expect(await names()).toEqual(['web']);
    await inventory.reload();
    expect((await inventory.vms()).map(({ entry }) => entry)).toEqual([
      { name: 'db', qmpSocket: '/x', scratchFolder: '/s' },
    ]);
    await writeFile(file, 'vms: 3');
    await expect(inventory.reload()).rejects.toThrow(':1:6: ');
    expect(await names()).toEqual(['db']);
  } finally {
    await folder.remove();
  }
});
