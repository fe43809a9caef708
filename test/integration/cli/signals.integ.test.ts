/** How the command ends when somebody wants it to: by each signal, by a terminal that is gone, by a reader that left. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDisk } from '../../../lib/host/open.js';
import { type CommandRun, runCommand, startCommand } from '../../helpers/builtCommand.js';
import { eventually } from '../../helpers/eventually.js';
import { FakeGuestAgent, SILENT } from '../../helpers/fakeGuestAgent.js';
import { killGuardsBelow } from '../../helpers/guards.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let image: string;
let daemon: StorageDaemon;
let agent: FakeGuestAgent;
let env: Record<string, string>;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  env = { TMPDIR: join(folder.path, 'tmp') };
  await mkdir(env['TMPDIR'] ?? '');
  image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  await qemuIo(['-f', 'qcow2', image], 'write -P 1 0 1M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  agent = await FakeGuestAgent.start();
  expect((await runCommand(['enable', '--vm', daemon.process.qmpPath], { env })).code).toBe(0);
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const to = (): string => join(folder.path, 'F');
const quiescedBackup = (...more: string[]): string[] => {
  const source = ['--vm', daemon.process.qmpPath, '--to', to()];
  return ['backup', ...source, '--quiesce', '--agent', agent.path, ...more];
};

/** Starts a backup and waits until the guest is frozen; the answer to the freeze never comes. */
async function startFrozen(): Promise<Awaited<ReturnType<typeof startCommand>>> {
  agent.on('guest-fsfreeze-freeze', (command) => {
    agent.answer(command);
    return SILENT;
  });
  const started = await startCommand(quiescedBackup(), { env, detached: true });
  await eventually(() => expect(agent.frozen).toBe(true));
  return started;
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(env['TMPDIR'] ?? '')).toEqual([]);
  await daemon.process.terminate();
  await using disk = await openDisk(image);
  const { state, pits } = await disk.pits();
  expect([state, pits.length]).toEqual(['recording', 1]);
}

describe.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGQUIT', 131],
  ['SIGTERM', 143],
] as const)('%s', (signal, code) => {
  test('in the freeze: the guest is thawed, everything undone, and the exit code tells the signal', async () => {
    const { child, done } = await startFrozen();
    child.kill(signal);
    const ended: CommandRun = await done;
    expect(agent.frozen).toBe(false);
    expect(ended).toMatchObject({ code, signal: null, stdout: '' });
    expect(ended.stderr).toContain(`error[ERR_CBT_ABORTED] ended by ${signal}`);
    expect(await readdir(to())).not.toContain('run-000001.json');
    await expectNothingLeft();
  });
});

test('killed in the freeze: its guard thaws at once, without another run', async () => {
  const { child, done } = await startFrozen();
  child.kill('SIGKILL');
  await done;
  await eventually(() => expect(agent.frozen).toBe(false));
  await eventually(async () => expect(await readdir(env['TMPDIR'] ?? '')).toEqual([]));
});

test('killed in the freeze with its guard: the next run knows that it was ours, thaws, and says so', async () => {
  const { child, done } = await startFrozen();
  await killGuardsBelow(env['TMPDIR'] ?? '');
  child.kill('SIGKILL');
  expect((await done).signal).toBe('SIGKILL');
  agent.off('guest-fsfreeze-freeze');
  const next = await runCommand(quiescedBackup(), { env });
  expect(agent.frozen).toBe(false);
  expect(next.code).toBe(0);
  expect(next.stderr).toMatch(/left the guest behind .* frozen at .*: it is thawed now/);
});

test('the same signal again insists: the command is gone at once, and its guard does the rest', async () => {
  const { child, done } = await startFrozen();
  agent.on('guest-fsfreeze-thaw', () => SILENT);
  // Those that come right after the first are the same request.
  const again = setInterval(() => child.kill('SIGTERM'), 100);
  const ended = await done.finally(() => clearInterval(again));
  expect(ended).toMatchObject({ code: 143, stdout: '' });
  expect(ended.stderr).toContain('SIGTERM again: ended at once');
  agent.off('guest-fsfreeze-thaw');
  await eventually(() => expect(agent.frozen).toBe(false));
  await eventually(async () => expect(await readdir(env['TMPDIR'] ?? '')).toEqual([]));
});

test('a terminal that is gone: what is begun is brought to its end all the same', async () => {
  const { child, done } = await startCommand(quiescedBackup('--json'), { env });
  child.stdout?.destroy();
  child.stderr?.destroy();
  const { code } = await done;
  expect(code).toBe(0);
  const verified = await runCommand(['verify', '--from', to()], { env });
  expect(verified.code).toBe(0);
});

test('a session of which nobody could be told is rolled back', async () => {
  const argv = ['begin', '--vm', daemon.process.qmpPath, '--scratch-unwatched', '--json'];
  const { child, done } = await startCommand(argv, { env });
  child.stdout?.destroy();
  const { code, stderr } = await done;
  expect(code).toBe(130);
  expect(stderr).toContain('the session was rolled back, because it could not be told');
  await expectNothingLeft();
});
