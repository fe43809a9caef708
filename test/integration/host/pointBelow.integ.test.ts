/**
 * A session that nobody ended, and its image below a copy of itself by then: the point in time cannot be taken off there, and is the newest
 * again when the image is the disk again. Until then its record stays.
 */
import { copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Vm } from '../../../lib/core/vm.js';
import { findImageLeftovers } from '../../../lib/host/imageLeftovers.js';
import { openDisk } from '../../../lib/host/open.js';
import { connectVm } from '../../../lib/host/vm.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';

class Place {
  constructor(private readonly folder: string) {}

  get image(): string {
    return join(this.folder, 'disk.qcow2');
  }

  get scratch(): string {
    return join(this.folder, 'scratch');
  }

  async create(): Promise<void> {
    await mkdir(this.scratch);
    await qemuImg('create', '-q', '-f', 'qcow2', this.image, '4M');
  }

  /** Something is done to the running VM, which is then shut down. */
  async run<T>(work: (vm: Vm) => Promise<T>): Promise<T> {
    await using daemon = await StorageDaemon.start({ disks: [{ node: 'disk', file: this.image }] });
    await daemon.exportWritable('disk');
    await using vm = await connectVm(daemon.process.qmpPath, { nbdSocket: daemon.nbdPath });
    const outcome = await work(vm);
    await daemon.process.terminate();
    return outcome;
  }

  /** A session that nobody ends; its point in time. */
  async leaveSession(): Promise<string> {
    return this.run(async (vm) => {
      await vm.enable();
      return (await vm.begin(this.options)).pit;
    });
  }

  get options(): { scratch: { folder: string }; detached: true; allowUnwatchedScratch: true } {
    return { scratch: { folder: this.scratch }, detached: true, allowUnwatchedScratch: true };
  }

  /** The disk becomes the copy, over what it was. */
  async coverWithCopy(): Promise<void> {
    const below = join(this.folder, 'below.qcow2');
    await rename(this.image, below);
    await copyFile(below, this.image);
    await qemuImg('rebase', '-q', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', below, this.image);
  }

  /** … and is what it was again. */
  async uncover(): Promise<void> {
    await rm(this.image);
    await rename(join(this.folder, 'below.qcow2'), this.image);
  }

  async points(): Promise<string[]> {
    await using disk = await openDisk(this.image);
    return (await disk.pits()).pits.map(({ pit }) => pit);
  }
}

const inPlace = (work: (place: Place) => Promise<void>): Promise<void> =>
  withFolder(async (folder) => {
    const place = new Place(folder);
    await place.create();
    await work(place);
  });

test('of an image at rest: mending says what is in the way, and goes through when that is gone', () =>
  inPlace(async (place) => {
    const pit = await place.leaveSession();
    await place.coverWithCopy();
    const mend = async (): Promise<void> => {
      const [left] = (await findImageLeftovers([place.image], { scratchFolder: place.scratch })).filter(
        ({ problem }) => problem,
      );
      await left?.mend?.run();
    };
    await expect(mend()).rejects.toMatchObject({ reason: 'OVERLAY' });
    expect(await readdir(place.scratch)).toHaveLength(1);

    await place.uncover();
    expect(await place.points()).toContain(pit);
    await mend();
    expect(await place.points()).not.toContain(pit);
    expect(await readdir(place.scratch)).toEqual([]);
  }));

test('of a running VM: the session that comes next does not stand on it, however often the disk changes', () =>
  inPlace(async (place) => {
    const pit = await place.leaveSession();
    await place.coverWithCopy();
    for (let n = 0; n < 2; n += 1)
      await place.run(async (vm) => {
        const session = await vm.begin(place.options);
        expect(session.disks).toMatchObject([{ verdict: 'full' }]);
        await session.rollback();
      });
    expect(await readdir(place.scratch)).toHaveLength(1);

    await place.uncover();
    expect(await place.points()).toContain(pit);
    await place.run(async (vm) => {
      const session = await vm.begin(place.options);
      expect(session.disks).toMatchObject([{ verdict: 'incremental' }]);
      await using disk = await vm.openDisk('disk');
      expect((await disk.pits()).pits.map(({ pit }) => pit)).not.toContain(pit);
      await session.rollback();
    });
    expect(await readdir(place.scratch)).toEqual([]);
  }));
