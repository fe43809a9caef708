/** Runs of a running VM into targets: what is restored is the disk as it was, and what is damaged, missing or half there is told. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BackupToTargetResult, backupToTarget } from '../../../lib/backup/objects/backupToTarget.js';
import { restoreFromTarget } from '../../../lib/backup/objects/restoreFromTarget.js';
import { verifyTarget } from '../../../lib/backup/objects/verifyTarget.js';
import type { BackupTarget } from '../../../lib/backup/target.js';
import { folderTarget } from '../../../lib/backup/targets/folderTarget.js';
import { httpTarget } from '../../../lib/backup/targets/httpTarget.js';
import { s3Target } from '../../../lib/backup/targets/s3Target.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import type { Vm } from '../../../lib/core/vm.js';
import { openData } from '../../../lib/host/data.js';
import { connectVm } from '../../../lib/host/vm.js';
import { ObjectServer, signed } from '../../helpers/objectServer.js';
import { qemuImg } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

/** No whole number of clusters. */
const SIZE = (12 << 20) + 4096;
const DISKS = ['a', 'b'];
let folder: TemporaryFolder;
let daemon: StorageDaemon;
let vm: Vm;
let server: ObjectServer | undefined;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const disk of DISKS)
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, disk), String(SIZE));
  daemon = await StorageDaemon.start({
    disks: DISKS.map((node) => ({ node, file: join(folder.path, node) })),
  });
  await daemon.exportWritable(...DISKS);
  vm = await connectVm(daemon.process.file('qmp.sock'));
});
afterEach(async () => {
  await vm.close();
  await daemon[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  server = undefined;
  await folder.remove();
});

async function bucket(): Promise<BackupTarget> {
  server = await ObjectServer.start('s3');
  return s3Target({ url: server.url, prefix: 'vm/', fetch: signed, partBytes: 5 << 20 });
}
async function web(): Promise<BackupTarget> {
  server = await ObjectServer.start('plain');
  return httpTarget({ url: server.url, fetch: signed });
}

async function content(disk: string): Promise<Buffer> {
  await using data = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: disk });
  return await data.read(0, SIZE);
}
async function run(to: BackupTarget, signal?: AbortSignal): Promise<BackupToTargetResult> {
  const source = vmSource(vm, { disks: DISKS, scratch: { folder: folder.path }, nbdSocket: daemon.nbdPath });
  const result = await backupToTarget(source, { to, signal });
  return { ...result, disks: result.disks.toSorted((a, b) => a.disk.localeCompare(b.disk)) };
}
const pits = async (): Promise<string[][]> =>
  Promise.all(
    DISKS.map(async (name) => {
      await using disk = await vm.openDisk(name);
      return (await disk.pits()).pits.map(({ pit }) => pit);
    }),
  );

test.each([
  ['a folder', async () => folderTarget(join(folder.path, 'to'))],
  ['a web server', web],
  ['a bucket', bucket],
])('every run of a week into %s is restored as it was', async (_, make) => {
  const to = await make();
  const kept: { pit: string; disks: Map<string, Buffer> }[] = [];
  for (const [at, commands] of [
    ['write -P 1 0 7M', `write -P 2 ${SIZE - 4096} 4k`],
    ['write -P 3 1M 64k', 'write -z 2M 1M', 'write -P 4 8M 512'],
    [],
    ['write -z 0 12M', 'write -P 5 5M 5M'],
  ].entries()) {
    if (commands.length > 0) await daemon.guestIo('a', ...commands);
    await daemon.guestIo('b', `write -P ${at + 10} ${at}M 100k`);
    const { pit, disks, failed, warnings } = await run(to);
    expect([failed, warnings]).toEqual([[], []]);
    expect(disks.map(({ verdict }) => verdict)).toEqual(
      at === 0 ? ['full', 'full'] : ['incremental', 'incremental'],
    );
    if (commands.length === 0) expect(disks[0]).toMatchObject({ changedBytes: 0, storedBytes: 0 });
    kept.push({
      pit: String(pit),
      disks: new Map([
        ['a', await content('a')],
        ['b', await content('b')],
      ]),
    });
  }
  expect(await verifyTarget({ from: to })).toMatchObject({ problems: [], unlisted: [] });
  for (const { pit, disks } of kept)
    for (const [disk, expected] of disks) {
      const file = join(folder.path, `${pit}-${disk}.raw`);
      await restoreFromTarget({ from: to, pit, disk, to: file });
      expect((await readFile(file)).equals(expected), `${disk} at ${pit}`).toBe(true);
    }
  const newest = join(folder.path, 'newest.qcow2');
  expect(await restoreFromTarget({ from: to, disk: 'b', to: newest })).toMatchObject({
    pit: kept.at(-1)?.pit,
  });
});

describe('in a bucket', () => {
  test('every damage of every object is found, and nothing of it restored', async () => {
    const to = await bucket();
    await daemon.guestIo('a', 'write -P 1 0 1M');
    await run(to);
    await daemon.guestIo('a', 'write -P 2 1M 64k');
    await run(to);
    const objects = server!.objects;
    for (const [key, whole] of [...objects]) {
      for (const damaged of [
        ...[0, Math.floor(whole.length / 2), whole.length - 1].map((at) => {
          const copy = Buffer.from(whole);
          copy[at]! ^= 1;
          return copy;
        }),
        whole.subarray(0, -2),
        Buffer.concat([whole, Buffer.from('x')]),
        null,
      ]) {
        // One byte more behind the data is asked for by nobody.
        if (
          whole.length === 0 ||
          (key.endsWith('.data') && damaged !== null && damaged.length > whole.length)
        )
          continue;
        if (damaged === null) objects.delete(key);
        else objects.set(key, damaged);
        const told = await verifyTarget({ from: to });
        const missingRun = damaged === null && key.startsWith('vm/runs/');
        expect(
          told.problems.length + (missingRun ? told.unlisted.length : 0),
          `${key} ${damaged?.length}`,
        ).toBeGreaterThan(0);
        objects.set(key, whole);
      }
    }
    // The oldest run's data, under the newest run.
    const [data = ''] = [...objects.keys()].filter((key) => key.endsWith('0.data')).sort();
    const whole = objects.get(data)!;
    objects.set(data, Buffer.from(whole).fill(9, 10, 20));
    const file = join(folder.path, 'a.raw');
    await expect(restoreFromTarget({ from: to, disk: 'a', to: file })).rejects.toMatchObject({
      code: 'ERR_CBT_CORRUPT_IMAGE',
    });
    await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a run that fails, wherever, leaves no run, no object and no point in time', async () => {
    const to = await bucket();
    await daemon.guestIo('a', 'write -P 1 0 7M');
    const first = await run(to);
    await daemon.guestIo('a', 'write -P 2 0 7M');
    const keys = (): string[] => [...server!.objects.keys()].sort();
    for (const failing of [
      /^POST .*uploads/,
      /partNumber=2/,
      /^POST .*uploadId/,
      /^PUT .*sums/,
      /^PUT .*runs/,
    ]) {
      const before = [keys(), await pits()];
      server!.fail = (request) => (failing.test(decodeURIComponent(request)) ? 500 : null);
      const failed = await run(to).catch((error: unknown) => error);
      // What is of one disk fails that disk; the manifest is of all.
      if (failed instanceof Error) expect(failed).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
      else expect((failed as BackupToTargetResult).failed.length, String(failing)).toBeGreaterThan(0);
      server!.fail = () => null;
      const { problems, unlisted } = await verifyTarget({ from: to });
      expect([problems, unlisted], String(failing)).toEqual([[], []]);
      if (failed instanceof Error) expect([keys(), await pits()]).toEqual(before);
    }
    expect(first.run).not.toBeNull();
  });

  test('an abort leaves nothing, and the next run goes on from the one before', async () => {
    const to = await bucket();
    const first = await run(to);
    await daemon.guestIo('a', 'write -P 2 0 7M');
    const abort = new AbortController();
    server!.fail = (request) => {
      if (request.includes('partNumber')) abort.abort();
      return null;
    };
    await expect(run(to, abort.signal)).rejects.toMatchObject({ code: 'ERR_CBT_ABORTED' });
    server!.fail = () => null;
    expect(await pits()).toEqual([[first.pit], [first.pit]]);
    const { disks } = await run(to);
    expect(disks).toMatchObject([
      { verdict: 'incremental', base: first.run, changedBytes: 7 << 20 },
      { verdict: 'incremental' },
    ]);
  });

  test('a base whose objects are gone is passed over: an earlier run, or a full backup', async () => {
    const to = await bucket();
    await run(to);
    const second = await run(to);
    server!.objects.delete(`vm/data/${second.pit}/${second.disks[0]?.object}.data`);
    await daemon.guestIo('a', 'write -P 2 0 64k');
    const third = await run(to);
    expect(third.disks[0]).toMatchObject({
      verdict: 'incremental',
      message: expect.stringContaining('is missing'),
    });
    for (const key of [...server!.objects.keys()])
      if (!key.includes(String(third.pit))) server!.objects.delete(key);
    const fourth = await run(to);
    expect(fourth.disks.map(({ verdict }) => verdict)).toEqual(['full', 'full']);
  });

  test('a history that is another’s is never built on, whatever the disk is called', async () => {
    const to = await bucket();
    await run(to);
    await vm.reset();
    const { disks } = await run(to);
    expect(disks.map(({ verdict }) => verdict)).toEqual(['full', 'full']);
  });
});
