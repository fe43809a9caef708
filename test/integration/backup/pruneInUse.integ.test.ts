/** A VM that runs from a backup (an overlay over one of its layers), and a restore: prune leaves what they read. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { prune } from '../../../lib/backup/prune.js';
import { restore } from '../../../lib/backup/restore.js';
import { verify } from '../../../lib/backup/verify.js';
import { ImageHolder } from '../../helpers/imageHolder.js';
import { qemuImg, qemuIo, withFolder } from '../../helpers/qemuTools.js';

const COMMAND = fileURLToPath(new URL('../../../bin/qemu-cbt.js', import.meta.url));

test('a layer that a QEMU has open is neither removed nor merged, and prune says who has it', async () => {
  await withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    const to = join(folder, 'backups');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    for (const byte of [1, 2, 3]) {
      await qemuIo(['-f', 'qcow2', image], `write -P ${byte} ${byte - 1}M 1M`);
      await backup(imagesSource([image]), { to });
    }
    const { runs } = await BackupFolder.read(to);
    const layers = runs.map(({ disks }) => join(to, disks[0]?.file ?? ''));
    const overlay = join(folder, 'overlay.qcow2');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', layers[1] ?? '', '-F', 'qcow2', overlay);
    const before = await Promise.all(layers.map((layer) => readFile(layer)));
    const holder = await ImageHolder.hold(overlay, 'io rw');
    try {
      const { layers: told } = await prune({ from: to, rules: { last: 1 } });
      expect(told).toMatchObject([
        { run: 1, action: 'kept', because: expect.stringMatching(/qemu-io \(process \d+\) has it open/) },
        { run: 2, action: 'kept', because: expect.stringMatching(/qemu-io \(process \d+\) has it open/) },
      ]);
    } finally {
      await holder.release();
    }
    const after = await Promise.all(layers.map((layer) => readFile(layer)));
    expect(after.map((bytes, i) => bytes.equals(before[i] ?? Buffer.alloc(0)))).toEqual([true, true, true]);
    expect((await prune({ from: to, rules: { last: 1 } })).layers).toMatchObject([
      { run: 1, action: 'merged' },
      { run: 2, action: 'merged' },
    ]);
    expect((await verify({ from: to })).problems).toEqual([]);
  });
});

test('a folder that a disk is restored from is pruned by nobody until that is done', async () => {
  await withFolder(async (folder) => {
    const image = join(folder, 'disk.qcow2');
    const from = join(folder, 'backups');
    await qemuImg('create', '-q', '-f', 'qcow2', image, '4M');
    for (const byte of [1, 2]) {
      await qemuIo(['-f', 'qcow2', image], `write -P ${byte} ${byte - 1}M 1M`);
      await backup(imagesSource([image]), { to: from });
    }
    // While this process is held up, so that the restore is where it was when that began.
    const prunes: ReturnType<typeof spawnSync>[] = [];
    const onProgress = (): void => {
      if (prunes.length > 0) return;
      prunes.push(
        spawnSync('node', [COMMAND, 'prune', '--from', from, '--keep-last', '1'], { encoding: 'utf8' }),
      );
    };
    await restore({ from, to: join(folder, 'restored.raw'), onProgress });
    expect(prunes).toMatchObject([{ status: 5, stderr: expect.stringContaining('BUSY') }]);
    await prune({ from, rules: { last: 1 } });
  });
});
