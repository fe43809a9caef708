/**
 * A guest is never left frozen, and never believed to be quiet when it was not: what froze nothing is told, a freeze of ours
 * that was left is ended by whoever comes next, and one that is not ours is left alone.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BeginVmOptions, Vm } from '../../../../../lib/core/vm.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { startCommand } from '../../../../helpers/builtCommand.js';
import { cli } from '../../../../helpers/cli.js';
import { eventually } from '../../../../helpers/eventually.js';
import { FakeGuestAgent, SILENT } from '../../../../helpers/fakeGuestAgent.js';
import { killGuardsBelow } from '../../../../helpers/guards.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let scratch: string;
let daemon: StorageDaemon;
let agent: FakeGuestAgent;
let vm: Vm;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = join(folder.path, 'scratch');
  await mkdir(scratch);
  const image = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file: image }] });
  agent = await FakeGuestAgent.start();
  vm = await connectVm(daemon.process.qmpPath);
  await vm.enable();
});
afterEach(async () => {
  await vm.close();
  await agent[Symbol.asyncDispose]();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const points = async (): Promise<number> => {
  await using disk = await vm.openDisk('a');
  return (await disk.pits()).pits.length;
};
const begin = (onFailure: 'fail' | 'warn', more: BeginVmOptions = {}) =>
  vm.begin({ quiesce: { agentSocket: agent.path, onFailure }, scratch: { folder: scratch }, ...more });

describe('an agent that froze 0 file systems', () => {
  beforeEach(() => {
    agent.fileSystems = 0;
  });

  test('fails the session, which leaves nothing; the guest is thawed', async () => {
    const error = await refusalOf(begin('fail'));
    expect(error.message).toMatch(/froze 0 file systems/);
    expect(agent.frozen).toBe(false);
    expect([await points(), await readdir(scratch)]).toEqual([1, []]);
  });

  test('is a warning where the caller goes on without', async () => {
    const session = await begin('warn');
    expect(session.warnings).toEqual([expect.stringMatching(/were not frozen: .* froze 0 file systems/)]);
    await session.commit();
    expect(await points()).toBe(2);
  });

  test('is said by the command', async () => {
    await vm.close();
    const to = join(folder.path, 'F');
    const argv = ['--vm', daemon.process.qmpPath, '--to', to, '--quiesce', '--agent', agent.path];
    const { code, stderr } = await cli('backup', ...argv);
    expect(code).toBe(5);
    expect(stderr).toMatch(/froze 0 file systems/);
    vm = await connectVm(daemon.process.qmpPath);
  });
});

test('the record of the freeze is there before it is sent, and gone after the thaw', async () => {
  const seen: (string | undefined)[] = [];
  const look = async (): Promise<void> => {
    const [name = ''] = await readdir(scratch);
    const { readLease } = await import('../../../../../lib/backend/qemu/own/lease.js');
    seen.push((await readLease(join(scratch, name)))?.frozen?.agent);
  };
  for (const command of ['guest-fsfreeze-status', 'guest-fsfreeze-freeze', 'guest-fsfreeze-thaw'])
    agent.on(command, async (asked) => {
      await look();
      return agent.answer(asked);
    });
  const session = await begin('fail');
  await look();
  expect(seen).toEqual([undefined, agent.path, agent.path, undefined]);
  await session.rollback();
});

test('a freeze that no record of ours tells of is left alone, and reported', async () => {
  agent.frozen = true;
  expect(await refusalOf(begin('fail'))).toMatchObject({ reason: 'BUSY' });
  const warned = await begin('warn');
  expect(warned.warnings).toEqual([expect.stringMatching(/frozen already, by somebody else/)]);
  await warned.rollback();
  expect(agent.frozen).toBe(true);
  expect(agent.log).not.toContain('guest-fsfreeze-thaw');
});

test('left frozen, and its agent refuses to thaw: told loudly, tried again by every next one until it is done', async () => {
  await vm.close();
  agent.on('guest-fsfreeze-freeze', (command) => {
    agent.answer(command);
    return SILENT;
  });
  const argv = [
    'backup',
    '--vm',
    daemon.process.qmpPath,
    '--to',
    join(folder.path, 'F'),
    '--scratch',
    scratch,
  ];
  const { child, done } = await startCommand([...argv, '--quiesce', '--agent', agent.path]);
  await eventually(() => expect(agent.frozen).toBe(true));
  agent.on('guest-fsfreeze-thaw', () => ({ error: { class: 'GenericError', desc: 'not now' } }));
  // Its guard, which would try it first, is killed too.
  await killGuardsBelow(scratch);
  child.kill('SIGKILL');
  await done;

  const seen = await cli('doctor', `qmp:${daemon.process.qmpPath}`, '--scratch', scratch);
  expect(seen.code).toBe(5);
  expect(seen.stdout).toMatch(/THE GUEST MAY BE FROZEN since .*--fix would: thaw the guest/s);
  expect(agent.frozen).toBe(true);

  vm = await connectVm(daemon.process.qmpPath);
  const plain = { scratch: { folder: scratch } };
  const next = await vm.begin(plain);
  expect(next.warnings.join()).toMatch(/could not be thawed: .*MAY STILL BE FROZEN.*not now/);
  await next.rollback();
  expect(await readdir(scratch)).toHaveLength(1);

  agent.off('guest-fsfreeze-thaw');
  const after = await vm.begin(plain);
  expect(after.warnings.join()).toMatch(/it is thawed now/);
  expect(agent.frozen).toBe(false);
  await after.rollback();
  expect(await readdir(scratch)).toEqual([]);
  expect(await points()).toBe(1);
});
