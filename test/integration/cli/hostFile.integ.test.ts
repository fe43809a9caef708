/** VMs by the names of a host file: real storage daemons, and what a name means when it means two things. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

const UUID = '5f0c4a3e-9a0b-4a57-9f3e-1d2c3b4a5968';
let folder: TemporaryFolder;
let daemon: StorageDaemon;
let host: string;
let images: string[];

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  images = ['vda', 'vdb'].map((name) => join(folder.path, `${name}.qcow2`));
  for (const image of images) await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
  daemon = await StorageDaemon.start({
    disks: ['vda', 'vdb'].map((node, index) => ({ node, file: images[index] ?? '' })),
  });
  await daemon.exportWritable('vda', 'vdb');
  host = join(folder.path, 'host.yaml');
  await writeHost(`
vms:
  - name: web
    uuid: ${UUID}
    qmpSocket: ${daemon.process.qmpPath}
    nbdSocket: ${daemon.nbdPath}
    images: {vda: ${images[0]}, vdb: ${images[1]}}
  - name: one
    qmpSocket: ${daemon.process.qmpPath}.not
    disks: [vda]
  - name: far
    libvirt: qemu+ssh://elsewhere/system#far
`);
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const writeHost = (text: string): Promise<void> => writeFile(host, text);

async function json(...argv: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli(...argv, '--json', '--host', host);
  expect(stderr).not.toContain('error');
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

async function refused(...argv: string[]): Promise<{ code: number; message: string }> {
  const { code, stderr } = await cli(...argv, '--json', '--host', host);
  return { code, message: JSON.parse(stderr).error.message };
}

describe('a VM by its name', () => {
  test('is tracked, asked and backed up as by its socket', async () => {
    const { pit, disks } = await json('enable', '--vm', 'web');
    expect((disks as { disk: string }[]).map(({ disk }) => disk).sort()).toEqual(['vda', 'vdb']);
    await daemon.guestIo('vda', 'write 1M 64k');
    const changes = await json('changes', 'web#vda', '--from', String(pit));
    expect(changes['areas']).toEqual([{ start: 1 << 20, length: 65_536 }]);
    const socket = ['--nbd-socket', daemon.nbdPath];
    const bySocket = await json(
      'changes',
      `qmp:${daemon.process.qmpPath}#vda`,
      '--from',
      String(pit),
      ...socket,
    );
    expect(changes).toEqual({ ...bySocket, disk: changes['disk'] });
    const to = join(folder.path, 'backups');
    expect((await json('backup', '--vm', UUID.toUpperCase(), '--to', to))['disks']).toMatchObject([
      { verdict: 'full' },
      { verdict: 'full' },
    ]);
  });

  test('has a session from begin to commit, read at its instant', async () => {
    const { pit } = await json('enable', '--vm', 'web');
    await daemon.guestIo('vdb', 'write 2M 64k');
    const { session } = await json('begin', '--vm', 'web');
    await daemon.guestIo('vdb', 'write 4M 64k');
    const at = await json('changes', 'web#vdb', '--from', String(pit), '--session', String(session));
    expect(at['areas']).toEqual([{ start: 2 << 20, length: 65_536 }]);
    await json('commit', '--vm', 'web', '--session', String(session));
    expect((await json('pits', 'web#vdb'))['pits']).toHaveLength(2);
  });

  test('takes part with the disks that the host file names, or with those that are asked for', async () => {
    await writeHost(
      `vms: [{name: web, qmpSocket: ${daemon.process.qmpPath}, disks: [vdb], nbdSocket: ${daemon.nbdPath}}]`,
    );
    expect((await json('enable', '--vm', 'web'))['disks']).toMatchObject([{ disk: 'vdb' }]);
    const { session, disks } = await json('begin', '--vm', 'web');
    expect(disks).toMatchObject([{ disk: 'vdb' }]);
    await json('rollback', '--vm', 'web', '--session', String(session));
    expect((await json('enable', '--vm', 'web', '--disk', 'vda'))['disks']).toMatchObject([{ disk: 'vda' }]);
  });

  test('is asked by its images while it is off', async () => {
    const { pit } = await json('enable', '--vm', 'web');
    await daemon.guestIo('vda', 'write 1M 64k');
    await daemon.process.control.execute('quit');
    await daemon.process.ended;
    const changes = await json('changes', 'web#vda', '--from', String(pit));
    expect(changes['areas']).toEqual([{ start: 1 << 20, length: 65_536 }]);
    expect(await refused('pits', 'web#vdc')).toMatchObject({
      code: 2,
      message: expect.stringContaining('vda, vdb'),
    });
  });
});

describe('a name that leads nowhere', () => {
  test('lists the VMs that there are', async () => {
    const { code, message } = await refused('enable', '--vm', 'wbe');
    expect(code).toBe(2);
    expect(message).toBe(
      `--vm is "wbe", expected the path of a QMP socket, or a VM of ${host}: web, one, far`,
    );
    expect((await refused('pits', 'wbe#vda')).message).toContain(`a disk of a VM of ${host}: web, one, far`);
  });

  test('a libvirt of another machine is told that it is not served, and never passed over', async () => {
    for (const name of ['far#vda', 'libvirt:qemu+ssh://elsewhere/system#far#vda', 'rbd:pool/image'])
      expect(await refused('pits', name)).toMatchObject({
        code: 4,
        message: expect.stringMatching(/not served by this version|this version does not serve/),
      });
    expect((await refused('enable', '--vm', 'far')).message).toBe(
      'VM far: libvirt qemu+ssh://elsewhere/system#far, which is on another machine, is not served by this version',
    );
  });

  test('a host file with an error stops the command, with its place', async () => {
    await writeHost('vms:\n  - name: web\n    qpm: /x\n    qmpSocket: /x');
    const { code, stderr } = await cli('pits', 'web#vda', '--host', host);
    expect(code).toBe(2);
    expect(stderr).toContain(`${host}:3:5: vms[0].qpm is not known`);
    // A path asks no host file.
    expect((await cli('pits', images[0]?.replace('vda', 'none') ?? '', '--host', host)).stderr).not.toContain(
      'qpm',
    );
  });
});

describe('a name that is a VM and a file here', () => {
  test('is refused with both', async () => {
    const before = process.cwd();
    process.chdir(folder.path);
    try {
      await qemuImg('create', '-q', '-f', 'qcow2', 'web#vda', '1M');
      await writeFile('web', '');
      expect((await refused('pits', 'web#vda')).message).toMatch(
        /a disk of the VM web of .* and a file here \(\.\/web#vda\)/,
      );
      expect((await refused('enable', '--vm', 'web')).message).toMatch(/the VM of .* and a socket here/);
      expect((await json('pits', './web#vda'))['sizeBytes']).toBe(1 << 20);
    } finally {
      process.chdir(before);
    }
  });
});
