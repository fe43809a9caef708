/** The commands on a running VM, each a process of its own in real life: nothing but QEMU carries a session over. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openData } from '../../../lib/host/data.js';
import { cli } from '../../helpers/cli.js';
import type { QemuProcess } from '../../helpers/qemuProcess.js';
import { guestIo, startQemuSystem } from '../../helpers/qemuSystem.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let vm: QemuProcess;
let socket: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const drives: string[] = [];
  for (const name of ['vda', 'vdb']) {
    const file = join(folder.path, `${name}.qcow2`);
    await qemuImg('create', '-q', '-f', 'qcow2', file, '32M');
    const node = JSON.stringify({
      driver: 'qcow2',
      'node-name': name,
      file: { driver: 'file', filename: file },
    });
    drives.push('-blockdev', node, '-device', `virtio-blk-pci,id=dev-${name},drive=${name}`);
  }
  vm = await startQemuSystem(drives);
  socket = vm.file('qmp.sock');
});
afterEach(async () => {
  await vm[Symbol.asyncDispose]();
  await folder.remove();
});

const guest = (device: string, command: string): Promise<void> =>
  guestIo(vm, `/machine/peripheral/dev-${device}/virtio-backend`, command);

interface Told {
  pit: string;
  session: string;
  disks: {
    disk: string;
    verdict: string;
    reason?: string;
    base?: string;
    changeId: string;
    export: string;
  }[];
  areas: { start: number; length: number }[];
}
async function json(...argv: string[]): Promise<Told> {
  const { code, stdout, stderr } = await cli(...argv, '--json');
  expect({ code, stderr: stderr.replace(/^warning: .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('a session from the command line', () => {
  test('is begun by one command, read by others, and committed or rolled back by another', async () => {
    await guest('vda', 'write -P 1 0 1M');
    const first = await json('enable', '--vm', socket);
    expect(first.disks.map(({ disk }) => disk)).toEqual(['dev-vda', 'dev-vdb']);
    await guest('vda', 'write -P 2 8M 64k');
    await guest('vdb', 'write -P 3 64k 64k');

    const begun = await json('begin', '--vm', socket, '--scratch', folder.path);
    expect(begun.disks).toEqual(
      ['dev-vda', 'dev-vdb'].map((disk) => ({
        disk,
        sizeBytes: 32 << 20,
        verdict: 'incremental',
        base: first.pit,
        epoch: expect.any(String),
        changeId: expect.stringMatching(/\/\d{10,16}$/),
        export: expect.stringMatching(/^nbd\+unix:\/\/\//),
      })),
    );
    await guest('vda', 'write -P 9 8M 1M');
    const instant = [`qmp:${socket}#dev-vda`, '--session', begun.session];
    expect((await json('changes', ...instant, '--from', first.pit)).areas).toEqual([
      { start: 8 << 20, length: 65536 },
    ]);
    expect((await json('changes', ...instant, '--from', '*')).areas).toEqual([
      { start: 0, length: 1 << 20 },
      { start: 8 << 20, length: 65536 },
    ]);
    {
      await using data = await openData({ kind: 'uri', uri: begun.disks[0]!.export });
      const read = await data.read(8 << 20, 128 << 10);
      expect(read.subarray(0, 65536).every((byte) => byte === 2)).toBe(true);
      expect(read.subarray(65536).every((byte) => byte === 0)).toBe(true);
    }
    const second = await cli('begin', '--vm', socket);
    expect(second).toMatchObject({ code: 5, stdout: '' });
    expect(second.stderr).toContain('[BUSY]');
    await json('rollback', '--vm', socket, '--session', begun.session);

    const told = await cli('begin', '--vm', socket, '--scratch', folder.path);
    expect(told.stdout).toMatch(
      /^session (\S+)\n(dev-vd[ab]: .* incremental from .*\n {2}nbd\+unix:\/\/\/\S+\n){2}$/,
    );
    await json('rollback', '--vm', socket, '--session', told.stdout.split(/\s/)[1]!);

    const again = await json('begin', '--vm', socket, '--disk', 'vda', '--pit', begun.session);
    expect(again.disks).toMatchObject([{ disk: 'dev-vda', verdict: 'incremental', base: first.pit }]);
    const now = await json('changes', `qmp:${socket}#vda`, '--from', first.pit, '--to', begun.session);
    expect(now.areas).toEqual([{ start: 8 << 20, length: 1 << 20 }]);
    await json('commit', '--vm', socket, '--session', again.session);
    const gone = await cli('commit', '--vm', socket, '--session', again.session);
    expect(gone.code).toBe(2);
    await json('forget', first.pit, '--vm', socket, '--disk', 'vda');
    const lost = await cli('changes', `qmp:${socket}#vda`, '--from', first.pit);
    expect(lost).toMatchObject({ code: 3, stdout: '' });
    const list = await cli('pits', `qmp:${socket}#vda`);
    expect(list.stdout).toContain(again.session);
  });

  test('in overlay mode: the files lie beside the image, the end brings back what the guest wrote', async () => {
    await guest('vda', 'write -P 1 0 1M');
    const first = await json('enable', '--vm', socket, '--disk', 'vda');
    await guest('vda', 'write -P 2 8M 64k');
    await guest('vda', 'write -z 0 64k');
    const begun = await json('begin', '--vm', socket, '--disk', 'vda', '--mode', 'overlay');
    await guest('vda', 'write -P 9 8M 1M');
    const instant = [`qmp:${socket}#vda`, '--session', begun.session, '--from', first.pit];
    const { areas } = await json('changes', ...instant, '--kinds');
    expect(areas).toEqual([
      { start: 0, length: 65536, zero: true },
      { start: 8 << 20, length: 65536, zero: false },
    ]);
    expect((await cli('changes', ...instant, '--kinds')).stdout).toBe(
      `start\tlength\tkind\n0\t65536\tzero\n${8 << 20}\t65536\tdata\n`,
    );
    const now = await cli('changes', `qmp:${socket}#vda`, '--from', first.pit);
    expect(now).toMatchObject({ code: 5, stdout: '' });
    expect(now.stderr).toContain('[BUSY]');
    const beside = await readdir(folder.path);
    expect(beside.filter((name) => /^cbt-[A-Za-z0-9]{6}$/.test(name))).toHaveLength(1);
    const ended = await json('commit', '--vm', socket, '--session', begun.session);
    expect(ended.disks).toMatchObject([{ disk: 'dev-vda' }]);
    expect(await readdir(folder.path)).toEqual(beside.filter((name) => !name.startsWith('cbt-')));
    const after = await json('changes', `qmp:${socket}#vda`, '--from', begun.pit);
    expect(after.areas).toEqual([{ start: 8 << 20, length: 1 << 20 }]);
  });

  test('doctor looks at every disk of a VM, or at one', async () => {
    const { pit } = await json('enable', '--vm', socket, '--disk', 'vda');
    const { code, stdout } = await cli('doctor', `qmp:${socket}`);
    expect(code).toBe(0);
    expect(stdout).toContain(`qmp:${socket}#dev-vda\n  ok      1 point(s) in time`);
    expect(stdout).toContain(`qmp:${socket}#dev-vdb\n  note    not tracked`);
    expect((await cli('doctor', `qmp:${socket}#vda`)).stdout).not.toContain('vdb');
    expect(await cli('doctor', 'qmp:/nowhere/qmp.sock')).toMatchObject({ code: 5 });
    expect(pit).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('options that do not go together are refused', async () => {
    for (const argv of [
      ['enable'],
      ['enable', 'a.qcow2', '--vm', socket],
      ['begin', 'a.qcow2', '--mode', 'overlay'],
      ['begin', '--vm', socket, '--quiesce'],
      ['forget', '--vm', socket],
      ['pits', 'a.qcow2', '--session', '00000000-0000-4000-8000-000000000000'],
    ]) {
      expect({ argv, ...(await cli(...argv)) }).toMatchObject({ argv, code: 2, stdout: '' });
    }
    const map = join(folder.path, 'map.svg');
    const { pit } = await json('enable', '--vm', socket, '--disk', 'vda');
    await guest('vda', 'write 0 64k');
    expect((await cli('map', `qmp:${socket}#vda`, '--from', pit, '--svg', map)).code).toBe(0);
    expect(await readFile(map, 'utf8')).toContain('<svg');
  });
});
