/** Disks that a folder took for two each, in the same runs: both are one again, whatever the other one does. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { type DiskRun, formatManifest } from '../../../lib/backup/manifest.js';
import { manifestName } from '../../../lib/backup/names.js';
import { seriesIn } from '../../../lib/backup/series.js';
import { qemuImg, withFolder } from '../../helpers/qemuTools.js';

test('two disks join in one run', () =>
  withFolder(async (folder) => {
    const to = join(folder, 'backups');
    const images = ['a', 'b'].map((name) => join(folder, `${name}.qcow2`));
    for (const image of images) await qemuImg('create', '-q', '-f', 'qcow2', image, '1M');
    await backup(imagesSource(images), { to });
    await backup(imagesSource(images), { to, full: true });
    const [, second] = [...(await BackupFolder.read(to)).runs].sort((one, next) => one.run - next.run);
    if (second === undefined) throw new Error('no second run');
    // As a crash and a run by other names leave it.
    const disks: DiskRun[] = [];
    for (const [index, disk] of second.disks.entries()) {
      const key = `other${index}`;
      const renamed = async (file: string): Promise<string> => {
        const name = file.replace(disk.key, key);
        await rename(join(to, file), join(to, name));
        return name;
      };
      disks.push({
        ...disk,
        key,
        series: `0000000${index}-1111-4111-8111-111111111111`,
        file: await renamed(disk.file),
        sums: { ...disk.sums, file: await renamed(disk.sums.file) },
      });
    }
    await writeFile(join(to, manifestName(second.run)), formatManifest({ ...second, disks }));
    expect(seriesIn(await BackupFolder.read(to))).toHaveLength(4);

    await backup(imagesSource(images), { to });
    expect(seriesIn(await BackupFolder.read(to)).map(({ layers }) => layers.length)).toEqual([3, 3]);
  }));
