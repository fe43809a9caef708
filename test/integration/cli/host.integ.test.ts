/** What a machine has, and what would go wrong with it: VMs that run, are off, are silent, and a host file that is wrong. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let host: string;
let [web, off]: string[] = [];

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [web, off] = ['web', 'off'].map((name) => join(folder.path, `${name}.qcow2`));
  for (const image of [web, off]) await qemuImg('create', '-q', '-f', 'qcow2', image ?? '', '16M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'vda', file: web ?? '' }] });
  host = join(folder.path, 'host.yaml');
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

interface Vm {
  name: string;
  id: string;
  state: string;
  disks: Record<string, unknown>[];
  findings: { level: string; message: string }[];
  misnamed?: { name: string; error: object }[];
}

async function told(...argv: string[]): Promise<{ code: number; vms: Vm[]; [key: string]: unknown }> {
  const { code, stdout, stderr } = await cli(...argv, '--json', '--host', host);
  expect(stderr).toBe('');
  return { code, ...JSON.parse(stdout) };
}

describe('vms', () => {
  test('lists those that run, are off, and are not served, with their newest points', async () => {
    await writeFile(
      host,
      `
vms:
  - {name: web, qmpSocket: ${daemon.process.qmpPath}}
  - {name: off, qmpSocket: ${folder.path}/off.qmp, images: {vda: ${off}}}
  - {name: bare, qmpSocket: ${folder.path}/bare.qmp}
  - {name: far, libvirt: "qemu+ssh://elsewhere/system#far"}
`,
    );
    const { pit } = JSON.parse((await cli('enable', '--vm', 'web', '--json', '--host', host)).stdout);
    const { vms, code } = await told('vms');
    expect(code).toBe(0);
    expect(vms.map(({ name, state }) => [name, state])).toEqual([
      ['web', 'running'],
      ['off', 'off'],
      ['bare', 'off'],
      ['far', 'unserved'],
    ]);
    expect(vms[0]?.disks).toMatchObject([
      { disk: 'vda', tracking: 'recording', newest: { pit }, sizeBytes: 16 << 20 },
    ]);
    expect(vms[1]?.disks).toMatchObject([{ disk: 'vda', file: off, tracking: 'untracked', newest: null }]);
    const ids = vms.map(({ id }) => id);
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^vm-[1-9]\d*$/);
    expect((await told('vms')).vms.map(({ id }) => id)).toEqual(ids);
    expect((await cli('pits', `${ids[0]}#vda`, '--host', host)).stdout).toContain(pit);
    const { stdout } = await cli('vms', '--host', host);
    expect(stdout).toContain(`web: running, ${ids[0]}`);
    expect(stdout).toContain(`  vda: 16 MiB, tracked, last point ${pit}\n`);
    expect(stdout).toContain(`far: not served by this version, ${ids[3]}\n`);
  });

  test('a machine without a host file has none by name', async () => {
    expect((await cli('vms')).stdout).toBe('no host file: this machine has no VMs by name\n');
  });
});

describe('host check', () => {
  test('finds nothing wrong where nothing is', async () => {
    await mkdir(join(folder.path, 'scratch'));
    await writeFile(
      host,
      `
vms: [{name: web, qmpSocket: ${daemon.process.qmpPath}, images: {vda: ${web}}, scratchFolder: ${folder.path}/scratch}]
datastores: {here: {folder: ${folder.path}}}
`,
    );
    expect(await told('host', 'check')).toMatchObject({
      code: 0,
      problems: [],
      notes: [],
      vms: [{ findings: [] }],
    });
  });

  test('tells of each VM what would go wrong', async () => {
    const mute = net.createServer((socket) => socket.resume());
    await new Promise<void>((resolve) => mute.listen(join(folder.path, 'mute.agent'), resolve));
    try {
      await writeFile(
        host,
        `
vms:
  - name: web
    qmpSocket: ${daemon.process.qmpPath}
    images: {vda: ${off}, vdz: /nowhere.qcow2}
    disks: [vda, vdb]
    scratchFolder: ${folder.path}/none
    nbdSocket: ${folder.path}/none.nbd
    agentSocket: ${folder.path}/mute.agent
  - {name: bare, qmpSocket: ${folder.path}/bare.qmp}
  - {name: off, qmpSocket: ${folder.path}/off.qmp, images: {vda: ${folder.path}/none.qcow2}}
  - {name: taken, qmpSocket: ${folder.path}/taken.qmp, images: {vda: ${web}}}
wires: {csi: {address: "0.0.0.0:443"}}
datastores: {gone: {folder: ${folder.path}/gone}}
`,
      );
      const { code, vms, problems, notes } = await told('host', 'check');
      expect(code).toBe(5);
      const [first, bare, gone, taken] = vms.map(({ findings }) =>
        findings.map(({ level, message }) => `${level}: ${message}`),
      );
      expect(first).toEqual([
        expect.stringMatching(/^problem: disks: the VM has no disk "vdb"; it has vda/),
        `problem: images: ${off} is not what QEMU has as vda, which is ${web}`,
        'problem: images: QEMU has no disk vdz',
        `problem: scratchFolder: ${folder.path}/none is not there`,
        `problem: nbdSocket: ${folder.path}/none.nbd is not there`,
        expect.stringMatching(/^problem: agent: .*mute\.agent/),
      ]);
      expect(bare).toEqual([expect.stringContaining('the host file names no images')]);
      expect(gone).toEqual([
        expect.stringContaining('note: it is off'),
        expect.stringContaining('none.qcow2'),
      ]);
      // Its socket is another than the one behind which QEMU has the image: it runs.
      expect(taken).toEqual([expect.stringMatching(/^problem: .*web\.qcow2/)]);
      expect(vms[3]?.state).toBe('silent');
      expect(problems).toMatchObject([{ message: expect.stringContaining('gone') }]);
      expect(notes).toEqual(['wire csi is not served by this version']);
    } finally {
      await new Promise((resolve) => mute.close(resolve));
    }
  });

  test('prints what is wrong in the file, each with its place', async () => {
    await writeFile(host, 'vms:\n  - name: 1\n    qmpSocket: x\n');
    const { code, problems } = await told('host', 'check');
    expect(code).toBe(2);
    expect(problems).toMatchObject([
      { line: 2, column: 11 },
      { line: 3, column: 16 },
    ]);
    expect((await cli('host', 'check', '--host', host)).stderr).toContain(`${host}:2:11: vms[0].name is 1`);
  });
});

test('a name in `disks` that is two disks or none is told by vms and by host check, running and off; another path of an image is its disk', async () => {
  const twins = join(folder.path, 'twins.raw');
  const link = join(folder.path, 'link.qcow2');
  await qemuImg('create', '-q', '-f', 'raw', twins, '1M');
  await symlink(off ?? '', link);
  for (const name of ['twin1', 'twin2'])
    await daemon.process.control.execute('blockdev-add', {
      driver: 'raw',
      'node-name': name,
      'read-only': true,
      file: { driver: 'file', filename: twins, 'read-only': true },
    });
  await writeFile(
    host,
    `
vms:
  - {name: web, qmpSocket: ${daemon.process.qmpPath}, disks: [vda, ${twins}]}
  - {name: off, qmpSocket: ${folder.path}/off.qmp, images: {vda: ${off}}, disks: [${link}, nobody]}
`,
  );
  const wrong = [
    expect.stringMatching(/"[^"]*twins\.raw" fits 2 disks: .*twin[12].*; .*twin[12]/),
    expect.stringMatching(/"nobody".*: vda/),
  ];
  const { vms } = await told('vms');
  expect(vms.map(({ misnamed }) => misnamed)).toMatchObject([
    [{ name: twins, error: { code: 'ERR_CBT_INVALID_ARGUMENT', message: wrong[0] } }],
    [{ name: 'nobody', error: { message: wrong[1] } }],
  ]);
  const { stdout } = await cli('vms', '--host', host);
  for (const one of wrong) expect(stdout).toEqual(one);
  const checked = await told('host', 'check');
  expect(checked.code).toBe(5);
  expect(
    checked.vms.map(({ findings }) => findings.filter(({ level }) => level === 'problem')),
  ).toMatchObject(wrong.map((message) => [{ message }]));
});

describe('backup --all', () => {
  test('takes every VM into a folder of its own; one that fails stops no other', async () => {
    const other = await StorageDaemon.start({ disks: [{ node: 'vda', file: off ?? '' }] });
    const rest = join(folder.path, 'rest.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', rest, '16M');
    try {
      await writeFile(
        host,
        `
vms:
  - {name: web, qmpSocket: ${daemon.process.qmpPath}}
  - {name: gone, qmpSocket: ${folder.path}/gone.qmp}
  - {name: other, qmpSocket: ${other.process.qmpPath}}
  - {name: rest, qmpSocket: ${folder.path}/rest.qmp, images: {vda: ${rest}}}
`,
      );
      const to = join(folder.path, 'backups');
      const { code, vms } = await told('backup', '--all', '--to', to);
      expect(code).toBe(5);
      expect(vms).toMatchObject([
        { vm: 'web', to: join(to, 'web'), disks: [{ disk: 'vda', verdict: 'full' }] },
        { vm: 'gone', error: { code: 'ERR_CBT_BACKEND_UNAVAILABLE' } },
        { vm: 'other', to: join(to, 'other'), disks: [{ disk: 'vda', verdict: 'full' }] },
        { vm: 'rest', to: join(to, 'rest'), disks: [{ disk: 'vda', verdict: 'full' }] },
      ]);
      const again = await told('backup', '--all', '--to', to);
      expect(again.vms.map(({ disks }) => disks?.[0]?.['verdict'])).toEqual([
        'incremental',
        undefined,
        'incremental',
        'incremental',
      ]);
      for (const name of ['web', 'other', 'rest'])
        expect((await cli('verify', '--from', join(to, name))).code).toBe(0);
      expect((await cli('backup', '--all', '--disk', 'vda', '--to', to, '--host', host)).stderr).toContain(
        '--disk',
      );
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });
});
