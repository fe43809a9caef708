/** The objects beside the calls: the same answers, with errors that are thrown, and disposal in place of frees. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startQemuNbd } from '../../helpers/nbdServers.js';
import { writeHdd, writeHds } from '../../helpers/parallelsBuilder.js';
import { qemuImg, writeRecorded } from '../../helpers/qemuTools.js';
import { KIB64, makeImage, path, prl, startVm, useLibrary } from './support.js';

useLibrary();

describe('a disk', () => {
  test('gives maps whose areas are what was written', async () => {
    const { file, pits } = await makeImage([
      [[0, 512]],
      [
        [10 * KIB64, 512],
        [11 * KIB64 + 5, 1000],
      ],
    ]);
    await using disk = await prl.openPrlDisk(file);
    const map = await disk.getChangesMap(`{${pits[1]!.toUpperCase()}}`);
    expect([map.sizeBits, map.granularityBytes, map.sizeBytes]).toEqual([64, KIB64, 64 * KIB64]);
    expect([...map]).toEqual([{ offset: 10 * KIB64, length: 2 * KIB64 }]);
    expect([...(await disk.getChangesMap(pits[0]!, pits[1]!))]).toEqual([{ offset: 0, length: KIB64 }]);
    expect([...(await disk.getChangesMap())].map(({ offset }) => offset)).toEqual([0, 10 * KIB64]);
    const bytes = Buffer.alloc(512);
    await disk.read(10 * KIB64, bytes);
    expect(bytes.every((byte) => byte === 0xcd)).toBe(true);
  });
  test('says why a map cannot be had: the code of the SDK, the reason of the core', async () => {
    const { file } = await makeImage();
    await using disk = await prl.openPrlDisk(file);
    const failed = await disk.getChangesMap('11111111-2222-4333-8444-555555555555').catch((e: unknown) => e);
    expect(failed).toBeInstanceOf(prl.PrlError);
    expect(failed).toMatchObject({
      code: 'PRL_ERR_NO_DATA',
      result: prl.PRL_ERR_NO_DATA,
      reason: 'UNKNOWN_PIT',
    });
    expect((failed as Error).message).toContain('11111111-2222-4333-8444-555555555555');
  });
  test('answers nothing after it is closed, and says so', async () => {
    const { file, pits } = await makeImage();
    const disk = await prl.openPrlDisk(file);
    await disk.close();
    await disk.close();
    const { PRL_ERR_UNINITIALIZED, PRL_ERR_DISK_DISK_NOT_OPENED } = prl;
    await expect(disk.getChangesMap(pits[0]!)).rejects.toMatchObject({ result: PRL_ERR_UNINITIALIZED });
    await expect(disk.read(0, Buffer.alloc(512))).rejects.toMatchObject({
      result: PRL_ERR_DISK_DISK_NOT_OPENED,
    });
    await expect(disk.flush()).rejects.toMatchObject({ result: PRL_ERR_DISK_DISK_NOT_OPENED });
  });
});

describe('names of disks', () => {
  test('a bitmap of an NBD export is found as it is written, then in any usual spelling', async () => {
    const file = path('n.qcow2');
    const names = [
      '{AAAAAAAA-1111-4222-8333-444444444444}',
      'BBBBBBBB-1111-4222-8333-444444444444',
      'nightly',
    ];
    await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
    for (const name of names) await qemuImg('bitmap', '--add', file, name);
    await writeRecorded(file, [[5 * KIB64, 512]]);
    const server = await startQemuNbd(
      path('.'),
      '-r',
      '-e',
      '5',
      '-f',
      'qcow2',
      ...names.flatMap((n) => ['-B', n]),
      file,
    );
    await using disk = await prl.openPrlDisk(`nbd+unix:///?socket=${server.socket}`);
    for (const asked of [
      names[0]!,
      'aaaaaaaa111142228333444444444444',
      `{${names[1]!}}`,
      'bbbbbbbb-1111-4222-8333-444444444444',
      'nightly',
    ])
      expect([asked, ...(await disk.getChangesMap(asked))]).toEqual([
        asked,
        { offset: 5 * KIB64, length: KIB64 },
      ]);
    await expect(disk.getChangesMap('cccccccc-1111-4222-8333-444444444444')).rejects.toThrow(
      /no dirty bitmap of the names .*\{CCCCCCCC/,
    );
    await expect(disk.getChangesMap(names[0]!, names[1]!)).rejects.toMatchObject({ code: 'PRL_ERR_FAILURE' });
    await disk.close();
    await server.stop();
  });
  test('the data of a .hdd is that of the image its descriptor names, whatever else lies in the folder', async () => {
    const guid = '{5fbaabe3-6958-40ff-92a7-860e329aab41}';
    const folder = writeHdd(path('d.hdd'), { images: [{ guid, file: 'root.img' }], topGuid: guid });
    writeHds(path('d.hdd/root.img'), { allocated: [1] });
    writeHds(path('d.hdd/other.hds'), { allocated: [] });
    for (const name of [folder, `${folder}/DiskDescriptor.xml`]) {
      await using disk = await prl.openPrlDisk(name);
      const areas = [...(await disk.getChangesMap())];
      expect(areas.length).toBeGreaterThan(0);
      const bytes = Buffer.alloc(512);
      await disk.read(areas[0]!.offset, bytes);
    }
  });
  test('the data of a .hdd with a snapshot is that of all its images', async () => {
    const [top, root] = ['{5fbaabe3-6958-40ff-92a7-860e329aab41}', '{11111111-0000-4000-8000-000000000000}'];
    const folder = writeHdd(path('d.hdd'), {
      images: [
        { guid: top, file: 'top.hds', parent: root },
        { guid: root, file: 'root.hds' },
      ],
    });
    const files = { 'top.hds': [2], 'root.hds': [1, 2] };
    for (const [file, allocated] of Object.entries(files)) writeHds(path(`d.hdd/${file}`), { allocated });
    await using disk = await prl.openPrlDisk(folder);
    for (const { offset, length } of await disk.getChangesMap())
      await disk.read(offset, Buffer.alloc(length));
  });
  test('what looks like a name of something else is a file, and is not there', async () => {
    await expect(prl.openPrlDisk('qmp:/run/a.qmp#d')).rejects.toMatchObject({ code: 'PRL_ERR_INVALID_ARG' });
    await expect(prl.openPrlDisk('')).rejects.toMatchObject({ code: 'PRL_ERR_INVALID_ARG' });
  });
});

describe('a server', () => {
  test('refuses VMs that are not told well', async () => {
    const refused = async (vms: unknown): Promise<string> => {
      prl.configureLocalServer(vms as prl.VmEntry[]);
      await using server = new prl.LocalServer();
      return server.login().then(
        () => 'accepted',
        ({ message }: Error) => message,
      );
    };
    expect(await refused([{ name: 'a', qmpSocket: '/a', uuid: 'x' }])).toContain('"x" is no UUID');
    expect(
      await refused([
        { name: 'a', qmpSocket: '/a' },
        { name: 'a', qmpSocket: '/b' },
      ]),
    ).toContain('two VMs are named "a"');
    expect(await refused([{ name: 'a', qmpSocket: '/a', typo: 1 }])).toContain('typo');
  });
  test('a VM that does not answer is named where a UUID is looked for in vain', async () => {
    prl.configureLocalServer([{ name: 'silent', qmpSocket: path('none.qmp') }]);
    await using server = new prl.LocalServer();
    await server.login();
    await expect(server.findVm('11111111-2222-4333-8444-555555555555')).rejects.toThrow(
      /silent did not tell its UUID/,
    );
  });
  test('a name or a UUID that two VMs have is refused with both', async () => {
    await mkdir(path('vms'));
    for (const socket of ['web.qmp', 'web.sock', 'mail.qmp']) await writeFile(path(join('vms', socket)), '');
    prl.configureLocalServer(path('vms'));
    await using folder = new prl.LocalServer();
    await folder.login();
    await expect(folder.findVm('web')).rejects.toThrow('"web" fits 2 VMs');
    expect((await folder.findVm('mail')).name).toBe('mail');
    const uuid = '11111111-2222-4333-8444-555555555555';
    prl.configureLocalServer(['one', 'copy'].map((name) => ({ name, uuid, qmpSocket: path(name) })));
    await using copies = new prl.LocalServer();
    await copies.login();
    await expect(copies.findVm(uuid)).rejects.toThrow('fits 2 VMs: one, copy');
  });
  test('its end ends a backup that is still beginning, and none begins after', async () => {
    const { daemon } = await startVm();
    await using _ = daemon;
    const server = new prl.LocalServer();
    await server.login();
    const vm = await server.findVm('web');
    const beginning = vm.beginBackup({ createMap: true }).then(
      () => 'begun',
      ({ code }: prl.PrlError) => code,
    );
    await server.logoff();
    expect(await beginning).toBe('PRL_ERR_OPERATION_WAS_CANCELED');
    await expect(vm.beginBackup()).rejects.toThrow(/logged off/);
    const nodes = (await daemon.process.control.execute('query-named-block-nodes')) as {
      'node-name': string;
    }[];
    expect(nodes.map((node) => node['node-name']).filter((name) => name.startsWith('cbt'))).toEqual([]);
  });
  test('a backup left alone is rolled back; a disk of an ended one is closed', async () => {
    const { daemon } = await startVm();
    await using _ = daemon;
    await using server = new prl.LocalServer();
    await server.login();
    const vm = await server.findVm('web');
    let disk: prl.Disk;
    {
      await using backup = await vm.beginBackup({ createMap: true });
      disk = await backup.getDisk(0);
      expect(disk.info).toMatchObject({ sizeBytes: 64 * KIB64, readOnly: true });
    }
    await expect(disk.read(0, Buffer.alloc(512))).rejects.toMatchObject({ code: 'PRL_ERR_FAILURE' });
    await expect(disk.getChangesMap()).rejects.toMatchObject({ code: 'PRL_ERR_UNINITIALIZED' });
    await using next = await vm.beginBackup({ createMap: true });
    expect(next.disksCount).toBe(1);
  });
});
