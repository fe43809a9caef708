/**
 * A run of a running VM into a target × every request to its server, every call to the file system of its folder. A coded error or a whole
 * run; what the target lists is sound, and restores to what the disk held; of a run that failed no point is left, and the next one goes on
 * from what is known. In the gate some steps of each; EVERY_STEP=1 for all.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BackupToTargetResult, backupToTarget } from '../../../lib/backup/objects/backupToTarget.js';
import { restoreFromTarget } from '../../../lib/backup/objects/restoreFromTarget.js';
import { verifyTarget } from '../../../lib/backup/objects/verifyTarget.js';
import type { BackupTarget } from '../../../lib/backup/target.js';
import { folderTarget } from '../../../lib/backup/targets/folderTarget.js';
import { httpTarget } from '../../../lib/backup/targets/httpTarget.js';
import { s3Target } from '../../../lib/backup/targets/s3Target.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import { CbtError } from '../../../lib/core/errors.js';
import type { Vm } from '../../../lib/core/vm.js';
import { openData } from '../../../lib/host/data.js';
import { connectVm } from '../../../lib/host/vm.js';
import { atEveryStep, type Faults, failing } from '../../helpers/atEveryStep.js';
import { FILE_FAULTS, fileFaults } from '../../helpers/fileFaults.js';
import { ObjectServer, signed } from '../../helpers/objectServer.js';
import { openFilesBelow } from '../../helpers/openFiles.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const ALL = process.env['EVERY_STEP'] !== undefined;
const SIZE = (1 << 20) + 4096;
let folder: TemporaryFolder;
let scratch: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
let server: ObjectServer | undefined;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  scratch = await makeTemporaryFolder();
  const file = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, String(SIZE));
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
  await daemon.exportWritable('a');
  vm = await connectVm(daemon.process.qmpPath);
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  server = undefined;
  for (const one of [folder, scratch]) await one.remove();
});

/** What the targets ask their servers by. */
const calls = { fetch: signed };
const asks: typeof signed = (...args) => calls.fetch(...args);
const lost = (): Error => new TypeError('fetch failed', { cause: new Error('by the test') });

const TARGETS = {
  bucket: async () => {
    server = await ObjectServer.start('s3');
    return s3Target({ url: server.url, prefix: 'vm/', fetch: asks, partBytes: 5 << 20 });
  },
  'web server': async () => {
    server = await ObjectServer.start('plain');
    return httpTarget({ url: server.url, fetch: asks });
  },
  folder: async () => folderTarget(join(folder.path, 'to')),
};

const REQUESTS = {
  'a request that is not heard': () => failing(calls, ['fetch'], 'before', lost),
  'an answer that is lost': () => failing(calls, ['fetch'], 'after', lost),
  'a run that is called off':
    () =>
    (n: number): ReturnType<Faults> => {
      const stop = new AbortController();
      return { ...failing(calls, ['fetch'], 'before', () => stop.abort())(n), signal: stop.signal };
    },
};
const OF_REQUESTS = Object.entries(REQUESTS).flatMap(([kind, faults], at) =>
  (['bucket', 'web server'] as const).map((to) => ({ to, kind, faults: async () => faults(), every: 3, at })),
);
const OF_FILES = FILE_FAULTS.map((kind, at) => ({
  to: 'folder' as const,
  kind: kind as string,
  faults: () => fileFaults(kind),
  every: { ENOSPC: 7, EIO: 307, EACCES: 53 }[kind],
  at,
}));

async function content(): Promise<Buffer> {
  await using data = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'a' });
  return await data.read(0, SIZE);
}

function run(to: BackupTarget, signal?: AbortSignal): Promise<BackupToTargetResult> {
  const place = { scratch: { folder: scratch.path }, nbdSocket: daemon.nbdPath };
  return backupToTarget(vmSource(vm, { disks: ['a'], ...place }), { to, ...(signal && { signal }) });
}

/** Points of the disk; none where it is not tracked. */
async function points(): Promise<string[]> {
  await using disk = await vm.openDisk('a');
  return (await disk.pits()).pits.map(({ pit }) => pit);
}

test.each([...OF_REQUESTS, ...OF_FILES])('$kind, $to', async ({ to, faults, every, at }) => {
  const target = await TARGETS[to]();
  /** What the disk held at each point that a run was told of, or may have been made at. */
  const held = new Map<string, Buffer>();
  let page = 0;
  let writes: Buffer;

  /** Every run that is listed is sound, and is the disk as it was; one that failed may be among them where only its answer was lost. */
  async function requireSound(): Promise<void> {
    const { runs, problems } = await verifyTarget({ from: target });
    expect(problems).toEqual([]);
    for (const { manifest } of runs.slice(-2)) {
      const { pit } = manifest;
      const file = join(folder.path, 'restored.raw');
      await restoreFromTarget({ from: target, pit, disk: 'a', to: file, force: true });
      expect((await readFile(file)).equals(held.get(pit) ?? writes), pit).toBe(true);
      held.set(pit, held.get(pit) ?? writes);
    }
  }

  const met = await atEveryStep(
    await faults(),
    async () => {
      // Each time the same number of runs, and so of calls.
      server?.objects.clear();
      await rm(join(folder.path, 'to'), { recursive: true, force: true });
      page = (page % 200) + 1;
      await daemon.guestIo('a', `write -P ${page} ${(page % 15) * 65_536} 4k`);
      const { pit, failed } = await run(target);
      expect(failed).toEqual([]);
      held.set(String(pit), await content());
      await daemon.guestIo('a', `write -P ${page + 1} ${((page + 7) % 15) * 65_536} 4k`);
      writes = await content();
      return { base: String(pit), before: await points() };
    },
    (_, signal) => run(target, signal),
    async ({ world, failed, result, error, what }) => {
      if (error !== undefined) expect(error).toBeInstanceOf(CbtError);
      for (const one of result?.failed ?? []) expect(one.error).toBeInstanceOf(CbtError);
      const isDone = result !== undefined && result.run !== null && result.failed.length === 0;
      if (!failed) expect(isDone).toBe(true);
      const after = await points();
      if (isDone) {
        held.set(String(result.pit), writes);
        expect(after).toContain(result.pit);
      } else {
        // Nobody was told of its point; the base stands.
        const stays = (error as CbtError | undefined)?.details['pointStays'];
        expect(after.filter((pit) => !world.before.includes(pit) && pit !== stays)).toEqual([]);
        expect(after).toContain(world.base);
      }
      // A session's files that could not be removed are told of, and go with the next one.
      const left = await readdir(scratch.path);
      const told = [...(result?.warnings ?? []), String(error)].join('\n');
      for (const name of left) expect(`${told}\n${what}`).toContain(name);
      expect((await openFilesBelow(folder.path)).filter((name) => name.includes('/to/'))).toEqual([]);
      await requireSound();

      const next = await run(target);
      expect(next.failed).toEqual([]);
      expect(next.disks).toMatchObject([{ verdict: 'incremental' }]);
      held.set(String(next.pit), writes);
      // A folder without a record is nobody's, and goes when it is old.
      for (const name of await readdir(scratch.path)) {
        const rest = await readdir(join(scratch.path, name));
        expect(rest.filter((file) => file !== 'owner.lock')).toEqual([]);
        await rm(join(scratch.path, name), { recursive: true });
      }
      await requireSound();
    },
    ALL ? {} : { every, from: 1 + at },
  );
  expect(met).toBeGreaterThan(0);
});
