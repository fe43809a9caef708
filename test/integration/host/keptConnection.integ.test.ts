/** One connection that is kept for months, and many sessions on it: what has ended is let go of. */
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectVm, type Session, type Vm } from '../../../lib/index.js';
import { runCommand } from '../../helpers/builtCommand.js';
import { eventually } from '../../helpers/eventually.js';
import { guardsBelow } from '../../helpers/guards.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let other: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, 'a.qcow2'), '4M');
  other = join(folder.path, 'other.sock');
  daemon = await StorageDaemon.start({
    args: ['--chardev', `socket,id=other,path=${other},server=on,wait=off`, '--monitor', 'chardev=other'],
    disks: [{ node: 'a', file: join(folder.path, 'a.qcow2') }],
  });
});
afterEach(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await folder?.remove();
});

const connect = (): Promise<Vm> => connectVm(daemon.process.file('qmp.sock'), { scratchFolder: folder.path });

/** Begins, asks, reads and ends one; nothing of it is left in this frame. */
async function oneSession(
  vm: Vm,
  end: (session: Session) => PromiseLike<unknown>,
): Promise<WeakRef<object>[]> {
  const session = await vm.begin({ scratch: { folder: folder.path } });
  const disk = await session.openDisk('a');
  const map = await disk.allocated();
  await map.ranges();
  await end(session);
  return [session, session.signal, disk, map].map((one) => new WeakRef<object>(one));
}

test('sessions that ended, their signals, disks and maps go, while the connection stays', async () => {
  await using vm = await connect();
  await vm.enable();
  const ends = [
    (session: Session) => session.commit(),
    (session: Session) => session.rollback(),
    (session: Session) => session[Symbol.asyncDispose](),
    async (session: Session) => {
      const jobs = (await daemon.process.control.execute('query-jobs')) as { id: string }[];
      await daemon.process.control.execute('job-cancel', { id: jobs[0]?.id });
      await eventually(() => expect(session.signal.aborted).toBe(true));
      expect(await refusalOf(session.check())).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
      await session.rollback();
    },
  ];
  const all: WeakRef<object>[] = [];
  for (const end of [...ends, ...ends]) all.push(...(await oneSession(vm, end)));
  await eventually(() => {
    collectGarbage();
    expect(all.filter((one) => one.deref() !== undefined)).toEqual([]);
  });
  expect(vm.lost.aborted).toBe(false);
});

test('a session that another process ends is let go of: its guard, its lock, and all of it here', async () => {
  await using vm = await connect();
  await vm.enable();
  for (const how of ['rollback', 'commit']) {
    const gone = await oneSession(vm, async (session) => {
      expect(await guardsBelow(folder.path)).toHaveLength(1);
      const { code, stderr } = await runCommand([how, '--vm', other, '--session', session.pit]);
      expect([code, stderr]).toEqual([0, '']);
      await eventually(() => expect(session.broken).not.toBeNull());
    });
    await eventually(async () => expect(await guardsBelow(folder.path)).toEqual([]));
    await eventually(() => {
      collectGarbage();
      expect(gone.filter((one) => one.deref() !== undefined)).toEqual([]);
    });
  }
});
