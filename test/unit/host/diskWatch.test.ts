/** A disk of several files is written to by whoever writes to one of them. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { watchDisk } from '../../../lib/host/diskWatch.js';
import { TOP_GUID, writeHdd } from '../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

const ROOT = '{11111111-0000-4000-8000-000000000000}';

test.each(['top.hds', 'root.hds', 'DiskDescriptor.xml'])(
  'a write to %s of a .hdd folder is one to the disk',
  async (written) => {
    const folder = await makeTemporaryFolder();
    onTestFinished(() => folder.remove());
    const images = [
      { guid: TOP_GUID, file: 'top.hds', parent: ROOT },
      { guid: ROOT, file: 'root.hds' },
    ];
    const path = writeHdd(join(folder.path, 'd.hdd'), { images });
    for (const { file } of images) await writeFile(join(path, file), file);
    const watch = await watchDisk({ disk: 'vda', path, known: {} });
    await writeFile(join(path, 'other.hds'), 'nothing of the disk');
    await watch.requireUnwritten();
    await appendFile(join(path, written), ' ');
    expect(await refusalOf(watch.requireUnwritten())).toMatchObject({ reason: 'BUSY', disk: path });
    await watch.close();
  },
);
