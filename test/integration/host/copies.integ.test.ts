/**
 * Images that are copied, put back and linked, with the real QEMU: which instant a name stands for is told by the image, never
 * by its path, its place in a list or a number that two copies came to.
 */
import { copyFile, link, mkdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { instantOf } from '../../../lib/core/changeId.js';
import { CbtError } from '../../../lib/core/errors.js';
import type { Instant } from '../../../lib/core/pointInTime.js';
import { ImageTracking } from '../../../lib/host/imageTracking.js';
import { openDisk } from '../../../lib/host/open.js';
import { connectVm } from '../../../lib/host/vm.js';
import { cli } from '../../helpers/cli.js';
import { qemuImg, qemuIo } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';
import { StorageDaemon } from '../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const GRANULE = 65_536;
const GRANULES = 8;
let folder: TemporaryFolder;
const file = (name: string): string => join(folder.path, `${name}.qcow2`);

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  await qemuImg('create', '-q', '-f', 'qcow2', file('d'), String(GRANULES * GRANULE));
});
afterEach(() => folder.remove());

/** Each write puts another byte: contents are told by the number of the write. */
let writes = 0;
async function write(name: string, granule: number): Promise<number> {
  writes = (writes % 255) + 1;
  await qemuIo(['-f', 'qcow2', file(name)], `write -P ${writes} ${granule * GRANULE} 64k`);
  return writes;
}

async function take(...names: string[]) {
  const tracking = new ImageTracking(names.map(file));
  const { pit, disks } = await tracking.begin();
  await tracking.commit(pit);
  return { pit, disks };
}

async function ask(name: string, from: string | Instant): Promise<number[]> {
  await using disk = await openDisk(file(name));
  const ranges = await (await disk.changes({ from })).ranges();
  const granules: number[] = [];
  for (let i = 0; i < ranges.length; i += 2)
    for (let at = ranges[i]!; at < ranges[i]! + ranges[i + 1]!; at += GRANULE) granules.push(at / GRANULE);
  return granules;
}

describe('an older file put back', () => {
  test('a changeId of the other branch is UNKNOWN_PIT, from the command line too, whichever way the file went', async () => {
    await new ImageTracking([file('d')]).enable();
    const early = (await take('d')).disks[0]!.changeId!;
    await copyFile(file('d'), file('old'));
    await write('d', 1);
    const one = (await take('d')).disks[0]!.changeId!;
    await rename(file('d'), file('one'));
    await rename(file('old'), file('d'));
    await write('d', 2);
    const two = (await take('d')).disks[0]!.changeId!;
    expect(one.split('/')[0]).toBe(two.split('/')[0]);
    expect(one).not.toBe(two);
    for (const lost of [one, `${two.split('/')[0]}/3`]) {
      const { code, stdout, stderr } = await cli('changes', file('d'), '--from', lost);
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
      expect(stderr).toContain('ERR_CBT_UNKNOWN_PIT');
    }
    expect(await ask('d', two)).toEqual([]);
    expect(await ask('d', early)).toEqual([2]);
    // And forth again.
    expect(await ask('one', one)).toEqual([]);
    expect(await ask('one', early)).toEqual([1]);
    expect((await refusalOf(ask('one', two))).reason).toBe('UNKNOWN_PIT');
    for (const command of [
      ['forget', file('d'), '--point', one],
      ['begin', file('one'), '--base', two, '--json'],
    ]) {
      const { code, stdout } = await cli(...command);
      if (command[0] === 'forget') expect(code).toBe(3);
      else expect(JSON.parse(stdout).disks).toMatchObject([{ verdict: 'full', reason: 'UNKNOWN_PIT' }]);
    }
  });

  test('random goings back and forth: no answer misses a granule', async () => {
    let seed = 7;
    const next = (n: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor(seed / 65_536) % n;
    };
    await new ImageTracking([file('d')]).enable();
    /** What each file holds, a number per granule. */
    const held: Record<string, number[]> = { d: new Array<number>(GRANULES).fill(0) };
    const taken: { instant: Instant; changeId: string; contents: number[] }[] = [];
    const point = async (): Promise<void> => {
      const { pit, disks } = await take('d');
      const { changeId } = disks[0]!;
      taken.push({ instant: instantOf(changeId!, pit)!, changeId: changeId!, contents: [...held['d']!] });
    };
    let [answered, refused] = [0, 0];
    await point();
    for (const copy of ['x', 'y']) {
      await copyFile(file('d'), file(copy));
      held[copy] = [...held['d']!];
    }
    for (let n = 0; n < 14; n += 1) {
      const copy = ['x', 'y'][next(2)]!;
      const what = next(4);
      if (what === 0) {
        await copyFile(file(copy), file('d'));
        held['d'] = [...held[copy]!];
      } else if (what === 1) {
        await rename(file('d'), file('t'));
        await rename(file(copy), file('d'));
        await rename(file('t'), file(copy));
        [held['d'], held[copy]] = [held[copy]!, held['d']!];
      }
      const granule = next(GRANULES);
      held['d']![granule] = await write('d', granule);
      if (next(3) > 0) await point();
      for (const { instant, changeId, contents } of taken)
        for (const name of [changeId, instant, instant.pit]) {
          const changed = await ask('d', name).catch((error: unknown) => {
            if (error instanceof CbtError && error.recovery === 'full') return null;
            throw error;
          });
          if (changed === null) refused += 1;
          else {
            answered += 1;
            const differs = held['d']!.flatMap((content, at) => (content === contents[at] ? [] : [at]));
            expect(changed).toEqual(expect.arrayContaining(differs));
          }
        }
    }
    expect(answered).toBeGreaterThan(20);
    expect(refused).toBeGreaterThan(20);
  });
});

describe('copies of one disk in one step', () => {
  test('images: each gets a history of its own and a full backup, also beside a bad one; alone each answers for itself', async () => {
    await new ImageTracking([file('d')]).enable();
    const { pit } = await take('d');
    await copyFile(file('d'), file('copy'));
    await write('copy', 3);
    // Alone each is the disk that it is.
    expect(await ask('copy', pit)).toEqual([3]);
    expect(await ask('d', pit)).toEqual([]);
    for (const bad of [[], ['gone']]) {
      const before = await Promise.all(['d', 'copy'].map(epochOf));
      const begun = await new ImageTracking(['d', 'copy', ...bad].map(file)).begin();
      if (bad.length === 0)
        for (const one of begun.disks) expect(one).toMatchObject({ verdict: 'full', reason: 'OTHER_EPOCH' });
      else {
        expect(begun.disks[2]!.error).toBeDefined();
        // Parted by the step before, they go on.
        for (const one of begun.disks.slice(0, 2)) expect(one).toMatchObject({ verdict: 'incremental' });
      }
      const after = await Promise.all(['d', 'copy'].map(epochOf));
      expect(after[0]).not.toBe(after[1]);
      if (bad.length === 0) expect(after.filter((epoch) => before.includes(epoch))).toEqual([]);
      expect((await refusalOf(ask('copy', pit))).recovery).toBe('full');
    }
    // Two copies and a bad image from the start: each is begun by itself, and parted all the same.
    await copyFile(file('d'), file('again'));
    const begun = await new ImageTracking(['d', 'again', 'gone'].map(file)).begin();
    for (const one of begun.disks.slice(0, 2))
      expect(one).toMatchObject({ verdict: 'full', reason: 'OTHER_EPOCH' });
    expect(await epochOf('d')).not.toBe(await epochOf('again'));
  });

  test('disks of one VM', async () => {
    await new ImageTracking([file('d')]).enable();
    await copyFile(file('d'), file('copy'));
    await using daemon = await StorageDaemon.start({
      disks: ['d', 'copy'].map((node) => ({ node, file: file(node) })),
    });
    await daemon.exportWritable('d', 'copy');
    await using vm = await connectVm(daemon.process.file('qmp.sock'), { nbdSocket: daemon.nbdPath });
    const options = { scratch: { folder: folder.path } };
    const first = await vm.begin(options);
    for (const one of first.disks) expect(one).toMatchObject({ verdict: 'full', reason: 'OTHER_EPOCH' });
    expect(new Set(first.disks.map(({ epoch }) => epoch)).size).toBe(2);
    await first.commit();
    const second = await vm.begin(options);
    for (const one of second.disks) expect(one).toMatchObject({ verdict: 'incremental', base: first.pit });
    await second.commit();
    // A UUID that names an instant of one disk already is not given to another one.
    const used = await refusalOf(vm.reset({ disks: ['d'], pit: first.pit }));
    expect(used).toMatchObject({
      code: 'ERR_CBT_INVALID_ARGUMENT',
      message: expect.stringContaining(first.pit),
    });
    const beside = await refusalOf(
      vm.disable({ disks: ['d'] }).then(() => vm.enable({ disks: ['d'], pit: second.pit })),
    );
    expect(beside).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT', disk: 'copy' });
  });

  test('one file under two names is given twice, and nothing is done to it', async () => {
    await new ImageTracking([file('d')]).enable();
    await link(file('d'), file('hard'));
    await symlink(file('d'), file('soft'));
    await mkdir(join(folder.path, 'sub'));
    const before = await epochOf('d');
    for (const other of [file('hard'), file('soft'), join(folder.path, 'sub', '..', 'd.qcow2'), file('d')]) {
      const { code, stderr } = await cli('begin', file('d'), other);
      expect(code).toBe(2);
      expect(stderr).toContain('every image once');
    }
    expect(await epochOf('d')).toBe(before);
  });
});

async function epochOf(name: string): Promise<string | null> {
  await using disk = await openDisk(file(name));
  return (await disk.pits()).epoch;
}
