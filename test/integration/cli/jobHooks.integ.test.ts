/** Hooks of jobs, and who is told: whatever fails, the others are told of it, and nothing waits for ever. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cliWith } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { running } from '../../helpers/processes.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', at('off.qcow2'), '2M');
});
afterEach(() => folder.remove());

const job = (more: string, name = 'nightly'): string => `{name: ${name}, to: ${at('backups')}${more}}`;
const shell = (line: string): string => `[/bin/sh, -c, ${JSON.stringify(line)}]`;
/** Its name, the exit code and the report that it is told. */
const notes = (name: string): string =>
  `${name}: ${shell(`echo "${name} $QEMU_CBT_EXIT $QEMU_CBT_REPORT" >>${at('hooks')}`)}`;
const hooks = (): Promise<string> => readFile(at('hooks'), 'utf8');
const figures = (): Promise<string> => readFile(at('cbt.prom'), 'utf8');
const report = async (name = 'nightly'): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(at('backups', `last-run-${name}.json`), 'utf8'));

async function run(jobs: readonly string[], signal?: AbortSignal) {
  await writeFile(
    at('host.yaml'),
    `vms:
  - {name: off, qmpSocket: ${at('off.qmp')}, images: {vda: ${at('off.qcow2')}}}
  - {name: silent, qmpSocket: ${at('silent.qmp')}}
jobs:
${jobs.map((one) => `  - ${one}\n`).join('')}`,
  );
  return cliWith(signal === undefined ? {} : { signal }, 'run', '--host', at('host.yaml'));
}

describe('the hook for failures', () => {
  test('runs where the figures cannot be written; the report says so', async () => {
    const { code, stdout } = await run([
      job(`, vms: [off], metrics: ${at('none', 'cbt.prom')}, ${notes('failed')}, ${notes('after')}`),
    ]);
    expect(code).toBe(5);
    expect(await hooks()).toBe(`failed 5 ${at('backups', 'last-run-nightly.json')}\n`);
    expect(await report()).toMatchObject({
      exitCode: 5,
      vms: [{ exitCode: 0, run: 1 }],
      errors: [{ code: 'ERR_CBT_BACKEND_UNAVAILABLE', message: expect.stringContaining(at('none')) }],
    });
    expect(stdout).toMatch(/nightly +off +1 .* done\nnightly +- .* FAILED .*none/);
  });

  test('runs where the report cannot be written, and is not sent to an older one; the figures say so', async () => {
    await mkdir(at('backups', 'last-run-nightly.json'), { recursive: true });
    const { code } = await run([job(`, vms: [off], metrics: ${at('cbt.prom')}, ${notes('failed')}`)]);
    expect(code).toBe(2);
    expect(await hooks()).toBe('failed 2 \n');
    expect(await figures()).toContain('qemu_cbt_job_exit_code{job="nightly"} 2\n');
    expect(await figures()).toContain('qemu_cbt_job_vm_exit_code{job="nightly",vm="off"} 0\n');
  });
});

test('a last hook that fails is in the report and the figures', async () => {
  const { code } = await run([job(`, vms: [off], metrics: ${at('cbt.prom')}, after: ${shell('exit 3')}`)]);
  expect(code).toBe(5);
  expect(await report()).toMatchObject({
    exitCode: 5,
    errors: [{ message: 'after: /bin/sh failed: exit code 3' }],
  });
  expect(await figures()).toContain('qemu_cbt_job_exit_code{job="nightly"} 5\n');
});

describe('a hook', () => {
  test('has nothing to read, may say as much as it likes, and its last words are told where it fails', async () => {
    const line = `cat; head -c 3000000 /dev/zero | tr '\\0' x; echo 'on stdout'; exit 4`;
    const { code, stderr } = await run([job(`, vms: [off], after: ${shell(line)}`)]);
    expect(code).toBe(5);
    expect(stderr).toContain('x'.repeat(3_000_000));
    expect(await report()).toMatchObject({
      errors: [{ message: expect.stringMatching(/exit code 4: x+on stdout$/) }],
    });
  });

  test('that does not end is killed with what it started, and that is said', async () => {
    const line = `sleep 600 & echo $! >${at('pid')}; wait`;
    const { code, stdout } = await run([job(`, vms: [off], hookLimit: 1s, before: ${shell(line)}`)]);
    expect(code).toBe(5);
    expect(stdout).toMatch(/FAILED \[ERR_CBT_TIMEOUT\] before: .* not ended after 1s \(hookLimit\)/);
    const pid = Number(await readFile(at('pid'), 'utf8'));
    await eventually(() => expect(running().filter((one) => one.pid === pid)).toEqual([]));
  });

  test('is not waited for longer than it runs, whatever it leaves in the background', async () => {
    const line = `sleep 600 & echo $! >${at('pid')}`;
    try {
      expect((await run([job(`, vms: [off], before: ${shell(line)}`)])).code).toBe(0);
    } finally {
      process.kill(Number(await readFile(at('pid'), 'utf8')));
    }
  });

  test('that is not there fails the job', async () => {
    const { code, stdout } = await run([job(`, vms: [off], before: [${at('none')}]`)]);
    expect(code).toBe(5);
    expect(stdout).toMatch(/FAILED .* before: .*none failed: .*ENOENT/);
  });

  test('that runs before may make the folder', async () => {
    const line = `test ! -e ${at('backups')} && mkdir ${at('backups')}`;
    expect((await run([job(`, vms: [off], before: ${shell(line)}`)])).code).toBe(0);
  });
});

describe('a job that is ended', () => {
  test('in the middle says what was done, what was ended and what was not begun', async () => {
    const ending = new AbortController();
    const clients = new Set<net.Socket>();
    const server = net.createServer((client) => {
      clients.add(client.on('error', () => undefined));
      ending.abort(new Error('ended by SIGTERM'));
    });
    await new Promise<void>((resolve) => server.listen(at('silent.qmp'), resolve));
    try {
      const more = `, metrics: ${at('cbt.prom')}, ${notes('failed')}`;
      const { code, stdout } = await run(
        [job(', vms: [off]', 'first'), job(`, vms: [silent, off]${more}`), job('', 'third')],
        ending.signal,
      );
      expect(code).toBe(130);
      expect(stdout).toMatch(
        /first +off +1 .* done\nnightly +silent +- .* ABORTED .* ended by SIGTERM\nnightly +off +- .* ABORTED .*\nnightly +- .* ABORTED .*\nended/,
      );
      expect(await report()).toMatchObject({
        exitCode: 130,
        vms: [
          { vm: 'silent', exitCode: 130 },
          { vm: 'off', exitCode: 130, run: null },
        ],
        errors: [{ code: 'ERR_CBT_ABORTED', message: 'ended by SIGTERM' }],
      });
      expect(await figures()).toContain('qemu_cbt_job_exit_code{job="nightly"} 130\n');
      await expect(hooks()).rejects.toThrow('ENOENT');
      await expect(report('third')).rejects.toThrow('ENOENT');
    } finally {
      for (const client of clients) client.destroy();
      server.close();
    }
  });

  test('in a hook ends the hook', async () => {
    const ending = new AbortController();
    const line = `touch ${at('begun')}; sleep 600`;
    const done = run([job(`, vms: [off], after: ${shell(line)}`)], ending.signal);
    await eventually(() => readFile(at('begun')));
    ending.abort(new Error('ended by SIGTERM'));
    expect((await done).code).toBe(130);
    expect(await report()).toMatchObject({ exitCode: 130, vms: [{ exitCode: 0, run: 1 }] });
  });
});

test('the time of the last good backup stays through bad nights, also those that come to no VM', async () => {
  const good = async (): Promise<string | undefined> =>
    /^qemu_cbt_job_vm_success.*$/m.exec(await figures())?.[0];
  const jobOf = (more = ''): string => job(`, vms: [off], metrics: ${at('cbt.prom')}${more}`);
  expect((await run([jobOf()])).code).toBe(0);
  const first = await good();
  expect(first).toMatch(/\{job="nightly",vm="off"\} \d{10}/);
  await rename(at('off.qcow2'), at('away.qcow2'));
  expect((await run([jobOf()])).code).not.toBe(0);
  expect(await good()).toBe(first);
  expect((await run([jobOf(`, before: ${shell('exit 1')}`)])).code).toBe(5);
  expect(await good()).toBe(first);
  await rename(at('away.qcow2'), at('off.qcow2'));
  expect((await run([jobOf()])).code).toBe(0);
  expect(await good()).not.toBe(first);
});
