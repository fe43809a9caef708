/** Backups of images at rest: full, incremental, restore of every run, by us and by plain qemu-img. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import type { DiskRun } from '../../../lib/backup/manifest.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { verifyAgainst } from '../../../lib/backup/verifyAgainst.js';
import type { ProgressEvent } from '../../../lib/core/progress.js';
import { openData } from '../../../lib/host/data.js';
import { TOP_GUID, writeHdd } from '../../helpers/parallelsBuilder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

let folder: TemporaryFolder;
let image: string;
let to: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.qcow2');
  to = join(folder.path, 'backups');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '16M');
});
afterEach(() => folder.remove());

const write = (...commands: string[]) => qemuIo(['-f', 'qcow2', image], ...commands);
async function content(file: string): Promise<Buffer> {
  const raw = join(folder.path, 'content.raw');
  await qemuImg('convert', '-O', 'raw', file, raw);
  return readFile(raw);
}
async function run(): Promise<DiskRun & { run: number }> {
  const result = await backup(imagesSource([image]), { to });
  expect(result.warnings).toEqual([]);
  const [disk] = result.disks;
  if (disk === undefined || 'error' in disk) throw disk?.error ?? new Error('no disk');
  return { ...disk, run: result.run ?? 0 };
}

describe('a backup of an image at rest', () => {
  test('is full first and incremental then; every run restores by us and by qemu-img', async () => {
    const states: Buffer[] = [];
    await write('write -P 1 0 1M', 'write -P 2 8M 300k', 'write -z 12M 1M');
    states.push(await content(image));
    expect(await run()).toMatchObject({ verdict: 'full', storedBytes: (1 << 20) + 5 * 65_536, base: null });
    await write('write -P 3 512k 64k', 'write -z 8M 64k', 'write -P 4 15M 1M');
    states.push(await content(image));
    expect(await run()).toMatchObject({
      verdict: 'incremental',
      storedBytes: (1 << 20) + 65_536,
      zeroBytes: 65_536,
      base: { run: 1 },
    });
    states.push(await content(image));
    expect(await run()).toMatchObject({ verdict: 'incremental', storedBytes: 0, zeroBytes: 0 });
    for (const [i, state] of states.entries()) {
      const file = `disk-00000${i + 1}.qcow2`;
      expect((await content(join(to, file))).equals(state), file).toBe(true);
      for (const format of ['raw', 'qcow2'] as const) {
        const restored = join(folder.path, `restored-${i}.${format}`);
        await restore({ from: to, at: { run: i + 1 }, to: restored, format });
        expect((await content(restored)).equals(state), restored).toBe(true);
      }
    }
  });

  test.each(['d.hdd', 'd.hdd/DiskDescriptor.xml'])(
    'of Parallels, %s, is that of all its files',
    async (name) => {
      const ROOT = '{11111111-0000-4000-8000-000000000000}';
      const hdd = writeHdd(join(folder.path, 'd.hdd'), {
        clusterSectors: 2048,
        diskSectors: (8 << 20) / 512,
        images: [
          { guid: TOP_GUID, file: 'top.hds', parent: ROOT },
          { guid: ROOT, file: 'root.hds' },
        ],
      });
      const expected = Buffer.alloc(8 << 20);
      for (const [file, byte, at] of [
        ['root.hds', 1, 1],
        ['root.hds', 2, 3],
        ['top.hds', 3, 3],
      ] as const) {
        const path = join(hdd, file);
        if (byte !== 2) await qemuImg('create', '-q', '-f', 'parallels', path, '8M');
        await qemuIo(['-f', 'parallels', path], `write -P ${byte} ${at}M 64k`);
        // A cluster of an image above hides the whole of the one below.
        expected.fill(0, at << 20, (at + 1) << 20).fill(byte, at << 20, (at << 20) + 65_536);
      }
      const { disks } = await backup(imagesSource([join(folder.path, name)]), { to });
      expect(disks).toMatchObject([{ verdict: 'full', reason: 'FORMAT', changedBytes: 2 << 20 }]);
      expect((await content(join(to, 'd-000001.qcow2'))).equals(expected)).toBe(true);
      const bare = await refusalOf(
        openData({ kind: 'qemu-nbd', file: join(hdd, 'top.hds'), readOnly: true }),
      );
      expect(bare).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
    },
  );

  test('tells how far each kind of work is, up to the end; a callback that throws ends none of them', async () => {
    await write('write -P 1 0 1M', 'write -P 2 8M 300k');
    const told: ProgressEvent[] = [];
    const onProgress = (event: ProgressEvent): void => {
      told.push(event);
      throw new Error('the caller is in trouble');
    };
    const warned = once(process, 'warning');
    expect((await backup(imagesSource([image]), { to, onProgress })).run).toBe(1);
    expect(await warned).toMatchObject([{ code: 'QEMU_CBT_CALLBACK' }]);
    expect((await verify({ from: to, onProgress })).problems).toEqual([]);
    await verifyAgainst(imagesSource([image]), { from: to, onProgress });
    await write('write -P 3 4M 1M');
    expect((await backup(imagesSource([image]), { to, onProgress })).run).toBe(2);
    await restore({ from: to, to: join(folder.path, 'restored.raw'), onProgress });
    await prune({ from: to, rules: { last: 1 }, onProgress });
    const phases = [...new Set(told.map(({ phase }) => phase))];
    expect(phases).toEqual(['copy', 'verify', 'compare', 'restore', 'merge']);
    for (const phase of phases) {
      const last = told.findLast((event) => event.phase === phase);
      expect(last?.doneBytes, phase).toBeGreaterThan(0);
      // What the next layer overwrote is not merged.
      if (phase !== 'merge') expect(last, phase).toMatchObject({ disk: image, doneBytes: last?.totalBytes });
    }
  });
});
