/**
 * Differential restore against a model: whatever happened to an image since a run, it is that run's disk afterwards, nothing is read that
 * its chain vouches for, and what it tells of its points in time is true: the next backup, built on them, is the image.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restore } from '../../../lib/backup/restore.js';
import { restoreOnto } from '../../../lib/backup/restoreOnto.js';
import { findImageLeftovers } from '../../../lib/host/imageLeftovers.js';
import { openVm } from '../../../lib/host/openVm.js';
import { findRestoring, unmarkRestoring } from '../../../lib/host/restoringMark.js';
import { requireNoHolder } from '../../../lib/host/unused.js';
import { cli } from '../../helpers/cli.js';
import { eventually } from '../../helpers/eventually.js';
import { seededRandom } from '../../helpers/guestWriter.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { SEED } from '../../helpers/seed.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';
import { buildDoomed, Doomed } from './doomedProcess.js';
import { ShadowDisk, sumOf } from './shadowDisk.js';

const SIZE = 4 << 20;

let folder: TemporaryFolder;
let from: string;
let image: string;
const at = (...names: string[]): string => join(folder.path, ...names);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  [from, image] = [at('backups'), at('disk.qcow2')];
  await qemuImg('create', '-q', '-f', 'qcow2', image, String(SIZE));
});
afterEach(() => folder.remove());

const io = (...commands: string[]) => qemuIo(['-f', 'qcow2', image], ...commands);
const run = (...images: string[]) =>
  backup(imagesSource(images.length === 0 ? [image] : images), { to: from });
const onto = (more: object = {}) => restoreOnto({ from, onto: [{ image }], ...more });

async function contentOf(path: string, format = 'qcow2'): Promise<Buffer> {
  const raw = at(randomUUID());
  await qemuImg('convert', '-f', format, '-O', 'raw', path, raw);
  return readFile(raw);
}

/** What the next backup holds must be what the image holds: it builds on what the image says of itself. */
async function requireTrueChain(verdict: 'incremental' | 'full'): Promise<void> {
  const { disks } = await run();
  expect(disks).toMatchObject([{ verdict }]);
  const restored = at(randomUUID());
  await restore({ from, to: restored });
  expect(sumOf(await readFile(restored))).toBe(sumOf(await contentOf(image)));
}

/** An end that stores no bitmap, as a crash of QEMU does. */
async function crash(): Promise<void> {
  await io('write -P 99 1M 64k', 'flush', 'abort').catch(() => undefined);
}

test('lives of an image: it is the run that was asked for, and its chain stays true', async () => {
  const random = seededRandom(SEED);
  const shadow = new ShadowDisk(SIZE);
  const runs: Buffer[] = [];
  for (let round = 0; round < 3; round += 1) {
    await io(...shadow.randomWrites(random, 4));
    await run();
    runs.push(Buffer.from(shadow.content));
    await io(...shadow.randomWrites(random, 3));
    const chosen = random(runs.length);
    const wanted = runs[chosen];
    if (wanted === undefined) throw new Error('no run');
    const { disks } = await onto({ at: { run: 2 * chosen + 1 } });
    expect(disks).toMatchObject([{ by: 'changes', points: 'kept' }]);
    const found = await contentOf(image);
    expect(sumOf(found)).toBe(sumOf(wanted));
    found.copy(shadow.content);
    // Every second run is of what was restored.
    await requireTrueChain('incremental');
  }
});

test('only what changed is looked at, and only what differs is written', async () => {
  await io(`write -P 1 0 ${SIZE}`);
  await run();
  await io('write -P 2 0 64k', 'write -P 1 1M 64k', 'write -z 2M 64k');
  // Somebody's own file in the mark's place: nothing is written to the image.
  const notes = `${image}.restoring`;
  await writeFile(notes, 'notes');
  expect(await refusalOf(onto())).toMatchObject({ recovery: 'fix', message: expect.stringContaining(notes) });
  expect(await readFile(notes, 'utf8')).toBe('notes');
  await rm(notes);
  const { disks } = await onto();
  expect(disks).toEqual([
    expect.objectContaining({
      by: 'changes',
      base: 1,
      writtenBytes: 2 * 65_536,
      zeroedBytes: 0,
      comparedBytes: 3 * 65_536,
    }),
  ]);
  expect(sumOf(await contentOf(image))).toBe(sumOf(Buffer.alloc(SIZE, 1)));
  // The same again: there is nothing left to write.
  expect((await onto()).disks).toMatchObject([{ by: 'changes', writtenBytes: 0, zeroedBytes: 0 }]);
  await requireTrueChain('incremental');
});

test('where the chain tells nothing all data decides, and a chain that was lost stays lost', async () => {
  await io(`write -P 1 0 1M`);
  await run();
  await crash();
  const { disks } = await onto();
  expect(disks).toMatchObject([
    { by: 'content', base: null, reason: 'CRASHED', points: 'none', writtenBytes: 0, zeroedBytes: 65_536 },
  ]);
  expect(sumOf(await contentOf(image))).toBe(
    sumOf(Buffer.concat([Buffer.alloc(1 << 20, 1), Buffer.alloc(3 << 20)])),
  );
  await requireTrueChain('full');
  // A writer without bitmaps, as old tools are: what it did nobody saw.
  const raw = at('disk.raw');
  await qemuImg('convert', '-O', 'raw', image, raw);
  const other = at('others');
  await backup(imagesSource([raw], { format: 'raw' }), { to: other });
  await qemuIo(['-f', 'raw', raw], 'write -P 7 3M 4k');
  const told = await restoreOnto({ from: other, onto: [{ image: raw, format: 'raw' }] });
  expect(told.disks).toMatchObject([
    { by: 'content', message: expect.stringMatching(/no points/), zeroedBytes: 65_536 },
  ]);
  expect(sumOf(await readFile(raw))).toBe(sumOf(await contentOf(image)));
});

test('a disk that grew is zeros behind the end that it had; one that is too small is refused', async () => {
  await io('write -P 1 0 64k');
  await run();
  await qemuImg('resize', '-q', image, '6M');
  await io('write -P 2 5M 100k');
  expect((await onto()).disks).toMatchObject([{ by: 'changes', sizeBytes: 6 << 20, points: 'kept' }]);
  expect(sumOf(await contentOf(image))).toBe(
    sumOf(Buffer.concat([Buffer.alloc(65_536, 1), Buffer.alloc((6 << 20) - 65_536)])),
  );
  await requireTrueChain('incremental');
  const small = at('small.raw');
  await copyFile('/dev/null', small);
  await truncate(small, 1 << 20);
  expect(
    await refusalOf(restoreOnto({ from, onto: [{ image: small, format: 'raw' }], force: true })),
  ).toMatchObject({
    code: 'ERR_CBT_INVALID_ARGUMENT',
    message: expect.stringMatching(/has 1048576 bytes.*qemu-img resize/),
  });
});

test('an image that the folder does not know as this disk is overwritten only when that is said twice', async () => {
  const other = at('other.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', other, String(SIZE));
  await io('write -P 1 0 64k');
  await qemuIo(['-f', 'qcow2', other], 'write -P 2 0 64k');
  await run(image, other);
  const wrong = await cli('restore', '--from', from, '--onto', other, '--disk', 'disk');
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toMatch(/by its history this image is .*other\.qcow2; --force/);
  const stranger = at('stranger.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', stranger, String(SIZE));
  const unknown = await cli('restore', '--from', from, '--onto', stranger);
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toMatch(/the folder knows nothing of it: name the disk/);
  const own = await cli('restore', '--from', from, '--onto', at('backups', 'disk-000001.qcow2'));
  expect(own.stderr).toMatch(/expected no file of the backup/);
  const forced = await cli('restore', '--from', from, '--onto', stranger, '--disk', 'other', '--force');
  expect(forced.code).toBe(0);
  expect(forced.stdout).toMatch(
    /all data was compared \(the image has no points in time\); .* 64 KiB written/,
  );
  expect(sumOf(await contentOf(stranger))).toBe(sumOf(await contentOf(other)));
  // A renamed image is its history.
  const moved = at(`${'m'.repeat(245)}.qcow2`);
  await copyFile(other, moved);
  await qemuIo(['-f', 'qcow2', moved], 'write -P 9 0 4k');
  const json = await cli('restore', '--from', from, '--onto', moved, '--json');
  // Its name leaves no room for that of a mark.
  expect(json.stderr).toMatch(/^warning: .*no mark can lie beside it/m);
  expect(JSON.parse(json.stdout)).toMatchObject({
    run: 1,
    disks: [{ disk: other, by: 'changes', base: 1, points: 'kept' }],
  });
});

test('an image in use is BUSY and stays as it is; a VM of the host file that is off gets all its disks', async () => {
  const data = at('data.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', data, String(SIZE));
  await run(image, data);
  const holder = await ImageHolder.hold(data, 'io rw');
  const file = at('host.yaml');
  await writeFile(
    file,
    JSON.stringify({ vms: [{ name: 'web', qmpSocket: at('none.sock'), images: { vda: image, vdb: data } }] }),
  );
  await io('write -P 5 0 64k');
  const busy = await cli('--host', file, 'restore', '--from', from, '--onto', 'web');
  expect(busy.code).toBe(5);
  expect(busy.stderr).toMatch(/BUSY/);
  expect((await contentOf(image))[0]).toBe(5);
  await holder.release();
  await qemuIo(['-f', 'qcow2', data], 'write -P 6 1M 64k');
  const done = await cli('--host', file, 'restore', '--from', from, '--onto', 'web');
  expect({ code: done.code, stderr: done.stderr }).toEqual({ code: 0, stderr: '' });
  expect(done.stdout.split('\n')).toHaveLength(3);
  for (const one of [image, data]) expect(sumOf(await contentOf(one))).toBe(sumOf(Buffer.alloc(SIZE)));
  await qemuIo(['-f', 'qcow2', data], 'write -P 6 1M 64k');
  const one = await cli('--host', file, 'restore', '--from', from, '--onto', 'web#vdb');
  expect(one.stdout).toMatch(/data\.qcow2 is .*64 KiB of 4 MiB looked at/);
});

/** No run is begun on it, `doctor` names it; wanted as it is, its mark goes. */
async function requireKnownInPart(): Promise<void> {
  const refused = await refusalOf(run());
  // It does not pass by itself.
  expect(refused).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', recovery: 'fix' });
  expect(refused.message).toContain(`--pit 1 --disk ${image} --onto ${image}`);
  const [left] = await findImageLeftovers([image]);
  expect(left).toMatchObject({ problem: true, mend: null });
  expect(left?.message).toContain('restored in part');
  // A copy of the file is another one: whether it is whole nobody knows.
  await copyFile(image, `${image}.copy`);
  await copyFile(`${image}.restoring`, `${image}.copy.restoring`);
  expect(await findRestoring(`${image}.copy`)).toMatchObject({ restoring: null });
  // What shows through from below is in part as well.
  const top = at('top.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', '-b', image, '-F', 'qcow2', top);
  for (const detached of [true, false]) {
    await using vm = await openVm({ images: [top], trust: true });
    expect(await refusalOf(vm.begin({ detached }))).toMatchObject({
      recovery: 'fix',
      message: expect.stringContaining(`${image} is being restored`),
    });
  }
  await rm(top);
  await unmarkRestoring(image);
}

test('called off or killed in the middle, the image tells the truth, and the same call ends the work', async () => {
  await io(`write -P 1 0 ${SIZE}`);
  await run();
  await io(`write -P 2 0 ${SIZE}`);
  const stop = new AbortController();
  const error = await refusalOf(onto({ signal: stop.signal, onProgress: () => stop.abort() }));
  expect(error.code).toBe('ERR_CBT_ABORTED');
  await requireTrueChain('incremental');
  const program = await buildDoomed();
  try {
    await io(`write -P 3 0 ${SIZE}`);
    const order = { op: 'onto', image, to: from, at: { run: 1 }, told: 3 };
    expect(await new Doomed(program).work(order, 60_000)).toBe(false);
    // Our QEMU ends by itself, and stores what it recorded.
    await eventually(() => requireNoHolder(image, 'write'));
    await requireKnownInPart();
    await requireTrueChain('incremental');
    expect((await onto({ at: { run: 1 } })).disks).toMatchObject([{ by: 'changes' }]);
    expect(await findRestoring(image)).toBeNull();
    expect(sumOf(await contentOf(image))).toBe(sumOf(Buffer.alloc(SIZE, 1)));
  } finally {
    await program.remove();
  }
});
