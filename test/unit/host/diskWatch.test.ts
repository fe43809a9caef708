/** A disk of several files is written to by whoever writes to one of them. */
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import * as diskFiles from '../../../lib/host/diskFiles.js';
import { watchDisk } from '../../../lib/host/diskWatch.js';
import { TOP_GUID, writeHdd } from '../../helpers/parallelsBuilder.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder } from '../../helpers/temporaryFolder.js';

vi.mock('../../../lib/host/diskFiles.js', { spy: true });

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

test('files that the disk is given while they are looked for are not left unwatched', async () => {
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const at = join(folder.path, 'd.hdd');
  const path = writeHdd(at, { images: [{ guid: TOP_GUID, file: 'a.hds' }] });
  for (const file of ['a.hds', 'b.hds']) await writeFile(join(path, file), file);
  const { filesOfDisk } = diskFiles;
  vi.mocked(filesOfDisk).mockImplementationOnce(async (...asked) => {
    const found = await filesOfDisk(...asked);
    writeHdd(at, { images: [{ guid: TOP_GUID, file: 'b.hds' }] });
    return found;
  });
  const refused = await refusalOf(watchDisk({ disk: 'vda', path, known: {} }));
  expect(refused).toMatchObject({ reason: 'BUSY', disk: path });
});
