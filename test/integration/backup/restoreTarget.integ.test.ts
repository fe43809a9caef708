/** Where a restore goes: never over what somebody uses, and never half. Real QEMU programs, real mounts. */

import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { runNamed } from '../../../lib/backup/reading.js';
import { type RestoreOptions, restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { cli } from '../../helpers/cli.js';
import { type Holding, ImageHolder } from '../../helpers/imageHolder.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

const run = promisify(execFile);
const MIB = 1 << 20;

let folder: TemporaryFolder;
let image: string;
let from: string;
let target: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'disk.qcow2');
  from = join(folder.path, 'backups');
  target = join(folder.path, 'target.raw');
  await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
  await backupWith(1);
  await backupWith(2);
});
afterEach(() => folder.remove());

/** A run of the disk filled with the byte. */
async function backupWith(byte: number): Promise<void> {
  await qemuIo(['-f', 'qcow2', image], `write -P ${byte} 0 4M`);
  await backup(imagesSource([image]), { to: from });
}
const restored = (pit: string, options: Partial<RestoreOptions> = {}) =>
  restore({ from, at: runNamed(pit), to: target, ...options });
const bytesOf = async (path: string): Promise<number[]> => [...new Set(await readFile(path))];
const namesIn = async (path: string): Promise<string[]> => (await readdir(path)).sort();
const BUSY = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };

describe('an image in use', () => {
  test.each<Holding>(['daemon rw', 'daemon ro', 'nbd rw'])(
    'by %s stays, whatever --force says',
    async (holding) => {
      const disk = join(folder.path, 'vm.qcow2');
      await qemuImg('create', '-q', '-f', 'qcow2', disk, '4M');
      const { ino } = await stat(disk);
      const holder = await ImageHolder.hold(disk, holding);
      try {
        const { code, stderr } = await cli('restore', '--from', from, '--to', disk, '--force');
        expect(stderr).toMatch(/qemu-\S+ \(process \d+\) has it open/);
        expect(code).toBe(5);
      } finally {
        await holder.release();
      }
      expect((await stat(disk)).ino).toBe(ino);
      await restored('1', { to: disk, force: true });
      await qemuIo(['-f', 'qcow2', disk], 'read -P 1 0 4M');
    },
  );
});

describe('two restores', () => {
  test('onto one new name at once: one is refused, and who reports success left his run', async () => {
    for (let round = 0; round < 10; round += 1) {
      const to = join(folder.path, `two-${round}.raw`);
      const outcomes = await Promise.allSettled([restored('1', { to }), restored('2', { to })]);
      const won = outcomes.findIndex(({ status }) => status === 'fulfilled');
      expect(outcomes[1 - won]).toMatchObject({ status: 'rejected', reason: BUSY });
      expect(await bytesOf(to)).toEqual([won + 1]);
    }
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('a target that is something else than it looks', () => {
  test.each(['raw', 'qcow2'] as const)(
    'a link to a file on another file system: a %s is written there',
    async (format) => {
      const there = join(folder.path, 'there');
      await mkdir(there);
      await run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', there]);
      try {
        await writeFile(join(there, 'real'), 'old');
        await symlink('there/real', target);
        await restored('2', { format, force: true });
        await qemuIo(['-f', format, join(there, 'real')], 'read -P 2 0 4M');
        expect(await namesIn(there)).toEqual(['real']);
      } finally {
        await run('umount', [there]);
      }
    },
  );

  test('a layer of the backup, also by a link, stays', async () => {
    const layers = (await namesIn(from)).filter((name) => name.endsWith('.qcow2'));
    expect(layers).toHaveLength(2);
    await symlink(join(from, layers[0] ?? ''), target);
    for (const to of [...layers.map((name) => join(from, name)), target, join(from, 'run-000001.json')]) {
      expect(await refusalOf(restored('2', { to, force: true })), to).toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
      });
    }
    expect((await verify({ from })).problems).toEqual([]);
  });

  test('another file that got its name meanwhile stays', async () => {
    await writeFile(target, 'old');
    const theirs = join(folder.path, 'theirs');
    await writeFile(theirs, 'theirs');
    let moved: Promise<void> | undefined;
    const error = await refusalOf(
      restored('1', {
        force: true,
        onProgress: () => {
          moved ??= rename(theirs, target);
        },
      }),
    );
    await moved;
    expect(error).toMatchObject(BUSY);
    expect(await readFile(target, 'utf8')).toBe('theirs');
  });
});

describe('a restore that fails', () => {
  test.each(['raw', 'qcow2'] as const)(
    'for want of room, of a %s: the old file is whole, and nothing is beside it',
    async (format) => {
      const small = join(folder.path, 'small');
      await mkdir(small);
      await run('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', small]);
      try {
        const to = join(small, 'target');
        await writeFile(to, 'old');
        const error = await refusalOf(restored('1', { to, format, force: true }));
        expect(error.code).toBe('ERR_CBT_BACKEND_UNAVAILABLE');
        expect(error.message).toMatch(/space/i);
        expect(await readFile(to, 'utf8')).toBe('old');
        expect(await namesIn(small)).toEqual(['target']);
      } finally {
        await run('umount', [small]);
      }
    },
  );

  test('in a folder that takes no files', async () => {
    const readOnly = join(folder.path, 'ro');
    await mkdir(readOnly);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=1m,ro', 'tmpfs', readOnly]);
    try {
      const error = await refusalOf(restored('1', { to: join(readOnly, 'target') }));
      expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', details: { errno: 'EROFS' } });
    } finally {
      await run('umount', [readOnly]);
    }
  });
});

describe('a block device', () => {
  let device: string;
  beforeEach(async () => {
    const file = join(folder.path, 'device.img');
    await writeFile(file, Buffer.alloc(4 * MIB));
    device = (await run('losetup', ['-f', '--show', file])).stdout.trim();
  });
  afterEach(() => run('losetup', ['-d', device]));

  test('is written', async () => {
    await restored('2', { to: device });
    expect(await bytesOf(device)).toEqual([2]);
  });

  test('that is mounted stays', async () => {
    await run('mkfs.ext4', ['-q', device]);
    const mounted = join(folder.path, 'mounted');
    await mkdir(mounted);
    await run('mount', [device, mounted]);
    try {
      await writeFile(join(mounted, 'precious'), 'precious');
      const error = await refusalOf(restored('2', { to: device, force: true }));
      expect(error).toMatchObject(BUSY);
      expect(error.message).toMatch(/mounted|in use/);
      expect(await readFile(join(mounted, 'precious'), 'utf8')).toBe('precious');
    } finally {
      await run('umount', [mounted]);
      await rm(mounted, { recursive: true });
    }
  });

  test('that a QEMU holds stays', async () => {
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', device, '1M']);
    const holder = await ImageHolder.hold(device, 'io rw');
    try {
      expect(await refusalOf(restored('2', { to: device }))).toMatchObject(BUSY);
    } finally {
      await holder.release();
    }
    await qemuIo(['-f', 'qcow2', device], 'read -P 0 0 1M');
  });
});
