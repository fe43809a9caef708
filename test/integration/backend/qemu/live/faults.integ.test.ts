/**
 * What may go wrong in a session, with a guest that writes all the time: a question is cancelled, QEMU is killed, exports are cut, the scratch fills, the guest agent says nothing. The end is a coded error, a guest that still writes, and
 * a VM on which the next session starts where the last one stood.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CbtError } from '../../../../../lib/core/errors.js';
import type { Session, SessionMode } from '../../../../../lib/core/session.js';
import type { BeginVmOptions, Vm } from '../../../../../lib/core/vm.js';
import { openData } from '../../../../../lib/host/data.js';
import { connectVm } from '../../../../../lib/host/vm.js';
import { atCommand } from '../../../../helpers/atCommand.js';
import { atEveryStep } from '../../../../helpers/atEveryStep.js';
import { eventually } from '../../../../helpers/eventually.js';
import { FakeGuestAgent, SILENT } from '../../../../helpers/fakeGuestAgent.js';
import { GuestWriter, PAGE } from '../../../../helpers/guestWriter.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { qmpFaults } from '../../../../helpers/qmpFaults.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const PAGES = 64;
let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
let writer: GuestWriter;

async function startVm(): Promise<void> {
  daemon = await StorageDaemon.start({
    disks: [{ node: 'a', file: join(folder.path, 'a.qcow2'), options: { discard: 'unmap' } }],
  });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
  writer = await GuestWriter.start(daemon.nbdPath, 'a', { zoneBytes: 0, pages: PAGES, seed: 5, restMs: 2 });
}
async function stopVm(): Promise<void> {
  await writer.stop();
  await vm.close();
  await daemon[Symbol.asyncDispose]();
}

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '64M');
  await startVm();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await stopVm();
  await folder.remove();
  await scratch.remove();
});

let mode: SessionMode = 'fleece';
const begin = (options: BeginVmOptions = {}): Promise<Session> =>
  vm.begin({ mode, nbdSocket: daemon.nbdPath, scratch: { folder: scratch.path }, ...options });

/** Nothing of ours is in QEMU or in the scratch folder. */
async function expectNothingLeft(): Promise<void> {
  const { control } = daemon.process;
  const nodes = (await control.execute('query-named-block-nodes')) as { 'node-name': string }[];
  const exports = (await control.execute('query-block-exports')) as { id: string }[];
  const jobs = (await control.execute('query-jobs')) as { id: string }[];
  const names = [...nodes.map((node) => node['node-name']), ...[...exports, ...jobs].map(({ id }) => id)];
  expect(names.filter((name) => name.startsWith('cbt'))).toEqual([]);
  expect(await readdir(scratch.path)).toEqual([]);
}

/** The guest writes, and the next increment starts at the point. */
async function expectUnharmed(base: string): Promise<void> {
  await writer.progress(5);
  await using session = await begin();
  expect(session.disks).toMatchObject([{ verdict: 'incremental', base }]);
}

async function firstPoint(): Promise<string> {
  const session = await begin();
  await session.commit();
  return session.pit;
}

describe.each(['fleece', 'overlay'] as const)('a fault at any step, %s', (asked) => {
  beforeEach(() => {
    mode = asked;
  });

  test('a map cancelled at every command leaves nothing, in a session and outside', async () => {
    const base = await firstPoint();
    await writer.progress(5);
    for (const within of [true, false]) {
      const session = within ? await begin() : null;
      await atEveryStep(
        qmpFaults('cancelled'),
        () => (session ?? vm).openDisk('a'),
        async (disk, signal) => (await disk.changes({ from: base, signal, kinds: true })).ranges(),
        async ({ world: disk, result, error }) => {
          await disk.close();
          if (error === undefined) expect(result?.length).toBeGreaterThan(0);
          else expect(error).toMatchObject({ code: 'ERR_CBT_ABORTED' });
          const left = (await daemon.process.control.execute('query-block-exports')) as { id: string }[];
          expect(left.filter(({ id }) => id.startsWith('cbtx'))).toEqual([]);
        },
      );
      await session?.rollback();
    }
    await expectUnharmed(base);
    await expectNothingLeft();
  });

  test('exports that are cut off end the reading with a coded error, and the session; nothing is lost or left', async () => {
    const base = await firstPoint();
    const session = await begin();
    const disk = await session.openDisk('a');
    await using data = await openData({ kind: 'uri', uri: session.disks[0]!.unsafeExportUri! });
    await data.read(0, PAGE);
    const { control } = daemon.process;
    for (const { id } of (await control.execute('query-block-exports')) as { id: string }[])
      if (id.startsWith('cbt')) await control.execute('block-export-del', { id, mode: 'hard' });
    for (const reading of [data.read(0, PAGE), disk.allocated().then((map) => map.ranges())])
      expect(await refusalOf(reading)).toBeInstanceOf(CbtError);
    // Nobody can say what was read meanwhile: the session is over, and its point goes.
    expect((await refusalOf(session.check())).message).toMatch(/the export of a (is gone|was taken away)/);
    expect(await refusalOf(session.commit())).toBeInstanceOf(CbtError);
    await session[Symbol.asyncDispose]();
    await expectUnharmed(base);
    await expectNothingLeft();
  });

  test('a scratch or overlay at its limit ends the session, not the guest’s writes; nothing is lost', async () => {
    // Zeros that are overwritten need no room in the scratch; data does.
    const filled = Array.from({ length: 16 }, (_, i) => `${16 + i}M 1M`);
    await daemon.guestIo('a', ...filled.map((area) => `write -P 6 ${area}`));
    const base = await firstPoint();
    const session = await begin({ scratch: { folder: scratch.path, limitBytes: 2 << 20 } });
    await daemon.guestIo('a', ...filled.map((area) => `write -P 7 ${area}`));
    await eventually(() => expect(session.broken).not.toBeNull());
    expect(await refusalOf(session.commit())).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      message: expect.stringContaining('reached its limit'),
    });
    await session[Symbol.asyncDispose]();
    await expectUnharmed(base);
    await expectNothingLeft();
    await using next = await begin();
    const ranges = await (await (await next.openDisk('a')).changes({ from: base })).ranges();
    expect(Array.from(ranges).slice(-2)).toEqual([16 << 20, 16 << 20]);
  });

  test.each([
    ['guest-sync-delimited', 'fail'],
    ['guest-fsfreeze-freeze', 'fail'],
    ['guest-fsfreeze-freeze', 'warn'],
  ] as const)(
    'a guest agent that is silent at %s (%s): said, and no guest is left frozen',
    async (command, onFailure) => {
      const base = await firstPoint();
      await using agent = await FakeGuestAgent.start();
      agent.on(command, () => SILENT);
      const quiesce = { agentSocket: agent.path, timeoutMs: 300, onFailure };
      if (onFailure === 'fail') {
        expect(await refusalOf(begin({ quiesce }))).toBeInstanceOf(CbtError);
      } else {
        await using session = await begin({ quiesce });
        expect(session.warnings.join()).toContain('not frozen');
      }
      await expectNothingLeft();
      expect(agent.frozen).toBe(false);
      await expectUnharmed(base);
    },
  );
});

describe('QEMU killed in a fleecing session', () => {
  beforeEach(() => {
    mode = 'fleece';
  });

  test('at every third command of begin, reading and commit: coded errors, and CRASHED afterwards', async () => {
    for (let n = 2, through = false; !through; n += 3) {
      const base = await firstPoint();
      // The chain goes into the file.
      await writer.stop();
      await vm.close();
      await daemon.process.terminate();
      await daemon[Symbol.asyncDispose]();
      await startVm();
      const sent = atCommand(n, () => daemon.process.child.kill('SIGKILL'));
      const ended = await (async () => {
        const session = await begin();
        const disk = await session.openDisk('a');
        await (await disk.changes({ from: base })).ranges();
        await session.commit();
      })().catch((error: unknown) => error);
      through = sent() < n;
      if (!through) {
        expect(ended, `command ${n}`).toBeInstanceOf(CbtError);
        await daemon.process.ended;
      }
      await stopVm();
      await scratch.remove();
      scratch = await makeTemporaryFolder();
      await startVm();
      if (through) break;
      {
        await using disk = await vm.openDisk('a');
        expect(await refusalOf(disk.changes({ from: base }))).toMatchObject({
          code: 'ERR_CBT_TRACKING_LOST',
          reason: 'CRASHED',
          disk: 'a',
        });
      }
      await using session = await begin();
      expect(session.disks).toMatchObject([{ verdict: 'full', reason: 'CRASHED' }]);
      const disk = await session.openDisk('a');
      expect(await refusalOf(disk.changes({ from: base }))).toMatchObject({ reason: expect.any(String) });
      await writer.progress(5);
      await session.commit();
    }
  });
});
