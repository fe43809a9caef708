/** Jobs of a host file: what they do, what they say, and what becomes of the others where one thing fails. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { cli } from '../../helpers/cli.js';
import { FakeLibvirt } from '../../helpers/fakeLibvirt.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let daemon: StorageDaemon;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['web', 'off']) await qemuImg('create', '-q', '-f', 'qcow2', at(`${name}.qcow2`), '2M');
  await qemuIo(['-f', 'qcow2', at('web.qcow2')], 'write -P 1 0 64k');
  daemon = await StorageDaemon.start({ disks: [{ node: 'vda', file: at('web.qcow2') }] });
  await writeFile(
    at('hook'),
    `#!/bin/sh\necho "$QEMU_CBT_JOB $1 $QEMU_CBT_EXIT" >>${at('hooks')}\nexit "\${2:-0}"\n`,
  );
  await chmod(at('hook'), 0o755);
});
afterEach(async () => {
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const nightly = (more = ''): string => `{name: nightly, to: ${at('backups')}${more}}`;

async function run(jobs: readonly string[], ...args: string[]) {
  await writeFile(
    at('host.yaml'),
    `vms:
  - {name: web, qmpSocket: ${daemon.process.qmpPath}}
  - {name: off, qmpSocket: ${at('off.qmp')}, images: {vda: ${at('off.qcow2')}}}
  - {name: bare, qmpSocket: ${at('bare.qmp')}}
jobs:
${jobs.map((job) => `  - ${job}\n`).join('')}`,
  );
  return cli('run', ...args, '--host', at('host.yaml'));
}

const report = async (job = 'nightly'): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(at('backups', `last-run-${job}.json`), 'utf8'));

describe('a job', () => {
  test('backs VMs up, running or off, verifies and prunes; table, report, figures and hooks say so', async () => {
    const job = nightly(
      `, vms: [web, off], keep: {last: 1}, verify: data, metrics: ${at('cbt.prom')}, before: [${at('hook')}, before], after: [${at('hook')}, after], failed: [${at('hook')}, failed]`,
    );
    expect((await run([job])).code).toBe(0);
    const { code, stdout } = await run([job], 'nightly');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /\njob +VM +run +full +incremental .*result\nnightly +web +2 +0 +1 .* done\nnightly +off +2 +0 +1 .* done\nended 20/,
    );
    for (const vm of ['web', 'off'])
      expect((await BackupFolder.read(at('backups', vm))).runs.map((one) => one.run)).toEqual([2]);
    expect(await report()).toMatchObject({
      job: 'nightly',
      exitCode: 0,
      errors: [],
      vms: [
        { vm: 'web', exitCode: 0, run: 2, disks: [{ disk: 'vda', verdict: 'incremental' }] },
        { vm: 'off', exitCode: 0, run: 2 },
      ],
    });
    const figures = await readFile(at('cbt.prom'), 'utf8');
    expect(figures).toMatch(
      /^# TYPE qemu_cbt_job_exit_code gauge\nqemu_cbt_job_exit_code\{job="nightly"\} 0$/m,
    );
    expect(figures).toMatch(/^qemu_cbt_job_vm_success_timestamp_seconds\{job="nightly",vm="off"\} \d{10}/m);
    expect(await readFile(at('hooks'), 'utf8')).toBe('nightly before 0\nnightly after 0\n'.repeat(2));
  });

  test('of all VMs: one that fails stops no other, and the next job runs', async () => {
    const other = `{name: other, vms: [off], to: ${at('elsewhere')}}`;
    const { code, stdout } = await run([
      nightly(`, metrics: ${at('cbt.prom')}, failed: [${at('hook')}, failed]`),
      other,
    ]);
    expect(code).toBe(5);
    expect(stdout).toMatch(
      /nightly +web +1 .* done\nnightly +off +1 .* done\nnightly +bare +- .* FAILED \[.*\nother +off +1 .* done\n/,
    );
    expect(await readFile(at('hooks'), 'utf8')).toBe('nightly failed 5\n');
    const figures = await readFile(at('cbt.prom'), 'utf8');
    expect(figures).toContain('qemu_cbt_job_vm_exit_code{job="nightly",vm="bare"} 5\n');
    expect(figures).not.toMatch(/success_timestamp_seconds\{job="nightly",vm="bare"/);
  });

  test('of names: one that the host file does not have stops no other, and a file of that name is no VM', async () => {
    const { code, stdout } = await run([nightly(', vms: [package.json, off]')]);
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /nightly +package.json +- .* FAILED \[ERR_CBT_INVALID_ARGUMENT\] .*web, off, bare\nnightly +off +1 .* done\n/,
    );
  });

  test('without a VM is refused, of a host file and of a libvirt', async () => {
    const libvirt = await FakeLibvirt.start();
    try {
      for (const [more, expected] of [
        ['', 'a host file that names VMs'],
        [`, libvirt: "${libvirt.uri}"`, 'has none'],
      ]) {
        await writeFile(at('host.yaml'), `jobs: [${nightly(more)}]\n`);
        const { code, stdout } = await cli('run', '--host', at('host.yaml'));
        expect(code).toBe(2);
        expect(stdout).toMatch(new RegExp(`FAILED .*no VM.*${expected}`));
      }
    } finally {
      await libvirt[Symbol.asyncDispose]();
    }
  });

  test('that shares its folder with another has a report of its own', async () => {
    const other = `{name: other, vms: [bare], to: ${at('backups')}}`;
    expect((await run([nightly(', vms: [off]'), other])).code).toBe(5);
    expect(await report()).toMatchObject({ job: 'nightly', exitCode: 0 });
    expect(await report('other')).toMatchObject({ job: 'other', exitCode: 5 });
  });

  test('strictly: full for a loss is done, and not as wanted', async () => {
    const job = nightly(', vms: [off], strict: true');
    expect((await run([job])).code).toBe(0);
    expect((await cli('reset', at('off.qcow2'))).code).toBe(0);
    const { code, stdout } = await run([job]);
    expect(code).toBe(6);
    expect(stdout).toContain('done, but full where incremental was wanted');
    expect((await run([job])).code).toBe(0);
  });

  test('whose first hook fails backs nothing up', async () => {
    const { code, stdout } = await run([
      nightly(`, vms: [off], before: [${at('hook')}, before, "3"], failed: [${at('hook')}, failed]`),
    ]);
    expect(code).toBe(5);
    expect(stdout).toMatch(/FAILED \[ERR_CBT_BACKEND_UNAVAILABLE\] before: .*hook failed/);
    expect(await readFile(at('hooks'), 'utf8')).toBe('nightly before 0\nnightly failed 5\n');
    await expect(readFile(at('backups', 'off', 'folder.json'))).rejects.toThrow('ENOENT');
  });

  test('whose VM’s backup is damaged says so, and forgets nothing before', async () => {
    expect((await run([nightly(', vms: [off]')])).code).toBe(0);
    await writeFile(at('backups', 'off', 'run-000001.json'), '{}');
    const { code } = await run([nightly(', vms: [off], keep: {last: 1}, verify: manifest')], '--json');
    expect(code).toBe(4);
    expect(await report()).toMatchObject({
      vms: [
        {
          vm: 'off',
          run: 2,
          error: { code: 'ERR_CBT_CORRUPT_IMAGE' },
          warnings: [expect.stringContaining('run-000001.json')],
        },
      ],
    });
  });

  test('that verifies looks before it prunes: where a layer is damaged, no run goes', async () => {
    const job = (more = ''): string => nightly(`, vms: [web]${more}`);
    for (const _ of [1, 2]) expect((await run([job()])).code).toBe(0);
    const layer = at('backups', 'web', 'vda-000001.qcow2');
    const bytes = await readFile(layer);
    const data = bytes.indexOf(Buffer.alloc(4096, 1));
    await writeFile(layer, bytes.fill(2, data, data + 1));
    expect((await run([job(', keep: {last: 1}, verify: data')])).code).toBe(4);
    expect((await BackupFolder.read(at('backups', 'web'))).runs.map((one) => one.run)).toEqual([1, 2, 3]);
  });
});

test('runs of a VM that a job protects stay; where a run or a VM is not there, nothing is forgotten', async () => {
  const job = (protect = ''): string => nightly(`, vms: [web, off], keep: {last: 1${protect}}`);
  const runs = (): Promise<number[][]> =>
    Promise.all(
      ['web', 'off'].map(async (vm) =>
        (await BackupFolder.read(at('backups', vm))).runs.map(({ run }) => run),
      ),
    );
  expect((await run([nightly(', vms: [web, off]')])).code).toBe(0);
  const ofVm = await run([job(', protect: {wep: [1]}')]);
  expect(ofVm).toMatchObject({ code: 2, stdout: expect.stringMatching(/keep.protect is "wep".*web, off/) });
  expect(await runs()).toEqual([
    [1, 2],
    [1, 2],
  ]);
  const ofRun = await run([job(', protect: {web: [7]}')]);
  expect(ofRun).toMatchObject({ code: 2, stdout: expect.stringMatching(/nightly +web +3 .*protect is "7"/) });
  expect(await runs()).toEqual([[1, 2, 3], [3]]);
  expect((await run([job(', protect: {web: [1]}')])).code).toBe(0);
  expect(await runs()).toEqual([[1, 4], [4]]);
});

test('what is misspelt is told before anything runs', async () => {
  const unknown = await run([nightly()], 'nightlie');
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/job is "nightlie", expected one of .*: nightly/),
  });
  for (const more of [
    ', keep: {}',
    ', keep: {last: 0}',
    ', vms: []',
    ', vms: [a], libvirt: "qemu:///system"',
    ', after: [hook]',
    ', rate: fast',
    ', vms: [web, web]',
    ', keep: {protect: {web: [1]}}',
    ', keep: {last: 1, protect: {web: [0]}}',
    ', keep: {last: 1, protect: [1]}',
    ', hookLimit: 10',
    ', hookLimit: 100h',
  ])
    expect((await run([nightly(more)])).code, more).toBe(2);
  expect((await run([nightly(), nightly()])).stderr).toContain('one that no job above it has');
  const figures = (name: string, path: string): string =>
    `{name: ${name}, to: ${at('backups')}, metrics: ${folder.path}/${path}}`;
  expect((await run([figures('one', 'a.prom'), figures('two', './a.prom')])).stderr).toContain(
    'a file that no job above it has',
  );
  await mkdir(at('none'));
  expect((await cli('run', '--host', at('none', 'host.yaml'))).code).not.toBe(0);
});
