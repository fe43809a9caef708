/**
 * Images on a file system that runs full: an image is not opened for writing unless all its bitmaps have room a second time,
 * because QEMU loses all of them where they have not. At every fill level an operation is refused and changes nothing, or it
 * is done and the image is sound.
 */
import { execFile } from 'node:child_process';
import { copyFile, readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { bytesToStore, readBitmapNeed } from '../../../lib/backend/image/qcow2/bitmapRoom.js';
import { CbtError } from '../../../lib/core/errors.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import * as room from '../../../lib/host/roomForBitmaps.js';
import { ownMark } from '../../../lib/linux/processMark.js';
import { cli } from '../../helpers/cli.js';
import { qemuImg, qemuIo, withFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { SmallFileSystem } from '../../helpers/smallFileSystem.js';

vi.mock('../../../lib/host/roomForBitmaps.js', { spy: true });
afterEach(() => {
  vi.resetAllMocks();
});

const run = promisify(execFile);
const MIB = 2 ** 20;
const all = { keeps: () => true, adds: 1 };
const write = (image: string, ...commands: string[]) => qemuIo(['-f', 'qcow2', image], ...commands);

async function pitsOf(image: string): Promise<string> {
  await using disk = await openDisk(image);
  const { state, pits } = await disk.pits();
  return JSON.stringify([state, pits]);
}
async function areasSince(image: string, pit: string): Promise<number[][]> {
  await using disk = await openDisk(image);
  const areas: number[][] = [];
  for await (const { offset, length } of await disk.changes({ from: pit })) areas.push([offset, length]);
  return areas;
}
/** Those of this process alone: others may run beside it. */
const daemonFolders = async (): Promise<string[]> => {
  const own = `cbt-qsd-${await ownMark()}`;
  return (await readdir(tmpdir())).filter((name) => name.startsWith(own));
};

describe('a file system without a free byte', () => {
  test('begin is refused before the image is opened, and the history still answers', async () => {
    await using small = await SmallFileSystem.mount(6 * MIB);
    const image = small.file('d.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '1G');
    await write(image, 'write -P 1 0 2M');
    const { pit } = await new ImageTracking([image]).enable({ granularityBytes: 512 });
    await write(image, 'write -P 2 2M 1M');
    await small.fill();
    const before = await readFile(image);
    const begun = await cli('begin', image);
    expect(begun).toMatchObject({ code: 5, stdout: '' });
    expect(begun.stderr).toMatch(/may need \d+ bytes, and 0 are free in .*make room first/);
    expect(before.equals(await readFile(image))).toBe(true);
    await small.empty();
    expect(await areasSince(image, pit ?? '')).toEqual([[2 * MIB, MIB]]);
    expect((await cli('begin', image)).code).toBe(0);
  });

  test('two images on it must have room together, and say how much', async () => {
    await using small = await SmallFileSystem.mount(6 * MIB);
    const images = ['a', 'b'].map((name) => small.file(name));
    for (const image of images) await qemuImg('create', '-q', '-f', 'qcow2', image, '64M');
    const need = (await readBitmapNeed(images[0] ?? '', all)).neededBytes;
    await small.fill(need + 8192);
    const error = await refusalOf(new ImageTracking(images).enable());
    expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', disk: images[1] });
    expect(error.details).toMatchObject({ neededBytes: need, folder: small.path });
    expect(error.details['freeBytes']).toBeLessThan(need);
    await small.fill(2 * need + 8192);
    expect((await new ImageTracking(images).enable()).disks.every((disk) => disk.error === undefined)).toBe(
      true,
    );
  });
});

/** Clusters of 4 KiB, so that a few pages decide. */
async function history(image: string): Promise<{ first: string; second: string }> {
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', image, '64M');
  const tracking = new ImageTracking([image]);
  const first = (await tracking.enable({ granularityBytes: 4096 })).pit ?? '';
  await write(image, 'write -P 1 1M 64k');
  const second = (await tracking.begin()).pit;
  await write(image, 'write -P 2 2M 64k');
  return { first, second };
}

type Points = { first: string; second: string };
const work: Record<string, (tracking: ImageTracking, points: Points) => Promise<unknown>> = {
  enable: (tracking) => tracking.enable(),
  begin: (tracking) => tracking.begin(),
  rollback: (tracking, { second }) => tracking.rollback(second),
  'forget the older': (tracking, { first }) => tracking.forget(first),
  'forget the newer': (tracking, { second }) => tracking.forget(second),
  reset: (tracking) => tracking.reset(),
  disable: (tracking) => tracking.disable(),
};

/** The image that the work is done on: enable has nothing before it. */
async function modelFor(name: string, model: string): Promise<Points> {
  if (name !== 'enable') return history(model);
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', model, '64M');
  return { first: '', second: '' };
}

describe('at every fill level', () => {
  test.each(Object.entries(work))('%s is done whole, or refused with nothing changed', async (name, act) => {
    await withFolder(async (folder) => {
      await using small = await SmallFileSystem.mount(4 * MIB);
      const image = small.file('d.qcow2');
      const model = `${folder}/model`;
      const points = await modelFor(name, model);
      const needed = (await readBitmapNeed(model, all)).neededBytes;
      let done = 0;
      for (let leave = 0; leave <= needed + 8192; leave += 4096) {
        await copyFile(model, image);
        await small.fill(leave);
        const before = await pitsOf(image);
        const bytes = await readFile(image);
        const error = await act(new ImageTracking([image]), points).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        if (error === null) done += 1;
        else {
          expect(error).toMatchObject({
            code: 'ERR_CBT_BACKEND_UNAVAILABLE',
            details: { folder: small.path },
          });
          expect(await pitsOf(image)).toBe(before);
          expect(bytes.equals(await readFile(image))).toBe(true);
        }
        // Neither errors nor leaked clusters: qemu-img check ends with 0.
        await qemuImg('check', '-q', '-f', 'qcow2', image);
        if (error === null && name === 'begin')
          expect(await areasSince(image, points.first)).toEqual([
            [MIB, 65536],
            [2 * MIB, 65536],
          ]);
      }
      expect(done).toBeGreaterThan(0);
      expect(await daemonFolders()).toEqual([]);
    });
  });
});

describe('with the room taken by somebody else after it was looked at', () => {
  test.each(Object.entries(work))('%s: the history answers as before, or is told lost', async (name, act) => {
    vi.mocked(room.requireRoomForBitmaps).mockResolvedValue(undefined);
    await withFolder(async (folder) => {
      await using small = await SmallFileSystem.mount(4 * MIB);
      const image = small.file('d.qcow2');
      const model = `${folder}/model`;
      const points = await modelFor(name, model);
      for (let leave = 0; leave <= 32768; leave += 4096) {
        await copyFile(model, image);
        await small.fill(leave);
        const before = await pitsOf(image);
        const error = await act(new ImageTracking([image]), points).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        if (error !== null) expect(error).toBeInstanceOf(CbtError);
        const after = await pitsOf(image);
        const [state, pits] = JSON.parse(after);
        if (error !== null)
          expect([before, 'lost', 'untracked']).toContain(state === 'recording' ? after : state);
        // What still answers has every write.
        if (state === 'recording' && pits[0].pit === points.first)
          expect(await areasSince(image, points.first)).toEqual([
            [MIB, 65536],
            [2 * MIB, 65536],
          ]);
        await qemuIo(['-r', '-f', 'qcow2', image], 'read 0 64M');
      }
      expect(await daemonFolders()).toEqual([]);
    });
  });
});

describe('how much is needed', () => {
  const layout = { clusterBytes: 65536, refcountBits: 16, refcountTableBytes: 65536, fileBytes: MIB };

  test('grows with the disk, and is what QEMU takes at most', async () => {
    const one = { granularityBytes: 65536, nameBytes: 110 };
    // 2 MiB of bits, a table, two directories, two clusters of counts.
    expect(bytesToStore({ ...layout, sizeBytes: 2 ** 40 }, [one])).toBe(2 * MIB + 5 * 65536);
    await withFolder(async (folder) => {
      for (const [size, options] of [
        ['1T', 'cluster_size=64k'],
        ['3G', 'cluster_size=512'],
        ['100M', 'cluster_size=512,refcount_bits=64'],
      ] as const) {
        const image = `${folder}/${options}`;
        await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, image, size);
        await qemuImg('bitmap', '--add', '-g', '4096', image, 'theirs');
        const { neededBytes } = await readBitmapNeed(image, { ...all, granularityBytes: 4096 });
        // Every cluster of bits is written, none of the old ones is free for it.
        await write(image, ...Array.from({ length: 12 }, (_, i) => `write -z ${i * 8 * MIB} 64k`));
        const before = (await stat(image)).size;
        await new ImageTracking([image]).enable({ granularityBytes: 4096 });
        expect((await stat(image)).size - before).toBeLessThanOrEqual(neededBytes);
      }
    });
  });
});

test('an image on a block device has the room that is free inside it', async () => {
  await withFolder(async (folder) => {
    const { stdout } = await run('sh', [
      '-c',
      `truncate -s 3M ${folder}/disk && losetup -f --show ${folder}/disk`,
    ]);
    const device = stdout.trim();
    try {
      await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', device, '64M');
      const { pit } = await new ImageTracking([device]).enable({ granularityBytes: 512 });
      const need = await readBitmapNeed(device, all);
      expect(need.freeInsideBytes).toBeGreaterThan(2.8 * MIB);
      await write(device, `write -P 1 0 ${(need.freeInsideBytes ?? 0) - need.neededBytes}`);
      const error = await refusalOf(new ImageTracking([device]).begin());
      expect(error.details).toMatchObject({ folder: device });
      expect(await areasSince(device, pit ?? '')).toHaveLength(1);
    } finally {
      await run('losetup', ['-d', device]);
    }
  });
});
