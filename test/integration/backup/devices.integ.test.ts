/** Backups of block devices, and of files that are block devices at the same time: an instant, or a refusal. Real loop devices. */
import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restore } from '../../../lib/backup/restore.js';
import type { BackupSource } from '../../../lib/backup/source.js';
import type { CbtError } from '../../../lib/core/errors.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const SIZE = 4 << 20;

let folder: TemporaryFolder;
let file: string;
let device: string;
let to: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  file = join(folder.path, 'device.img');
  to = join(folder.path, 'backups');
  await writeFile(file, Buffer.alloc(SIZE, 7));
  device = (await run('losetup', ['-f', '--show', file])).stdout.trim();
});
afterEach(async () => {
  await run('losetup', ['-d', device]);
  await folder.remove();
});

const manifests = async (): Promise<string[]> =>
  (await readdir(to).catch(() => [])).filter((name) => /^run-/.test(name));
/** What a run says of its one disk. */
async function only(source = imagesSource([device], { format: 'raw' })) {
  const [disk] = (await backup(source, { to })).disks;
  return disk ?? expect.unreachable('no disk');
}
async function refusal(source?: BackupSource): Promise<CbtError> {
  // Refused before anything was copied it is thrown: nothing was done.
  const error = await only(source).then(
    (disk) => disk.error,
    (thrown: CbtError) => {
      expect(thrown.disks).toMatchObject([{ disk: expect.any(String), error: { reason: thrown.reason } }]);
      return thrown;
    },
  );
  expect(await manifests()).toEqual([]);
  return error ?? expect.unreachable('it was not refused');
}
/** Something happens when everything was read, before it is checked. */
function before(check: () => Promise<void>): BackupSource {
  const source = imagesSource([device], { format: 'raw' });
  return {
    ...source,
    begin: async (...args) => {
      const session = await source.begin(...args);
      return {
        ...session,
        check: async () => {
          await check();
          return session.check();
        },
      };
    },
  };
}
async function mounted<T>(options: string[], work: (place: string) => Promise<T>): Promise<T> {
  const place = join(folder.path, 'mounted');
  await mkdir(place, { recursive: true });
  await run('mkfs.ext4', ['-q', '-F', device]);
  await run('mount', [...options, device, place]);
  try {
    return await work(place);
  } finally {
    await run('umount', [place]);
  }
}

test('one that nobody uses is copied, and restores to what it held', async () => {
  expect(await only()).toMatchObject({ verdict: 'full', reason: 'FORMAT' });
  const restored = join(folder.path, 'restored.raw');
  await restore({ from: to, to: restored });
  expect((await readFile(restored)).equals(Buffer.alloc(SIZE, 7))).toBe(true);
});

test.each([[[]], [['-o', 'ro']]])(
  'one that is mounted %j is BUSY, and the error says where',
  async (options) => {
    await mounted(options, async (place) => {
      const error = await refusal();
      expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
      expect(error.message).toContain(`mounted at ${place}`);
    });
    expect(await manifests()).toEqual([]);
  },
);

test('while it is copied nobody can mount it', async () => {
  await run('mkfs.ext4', ['-q', '-F', device]);
  let refused = '';
  await only(
    before(async () => {
      await run('mount', [device, to]).catch((error: Error & { stderr?: string }) => {
        refused = error.stderr ?? '';
      });
    }),
  );
  expect(refused).toMatch(/busy|already/i);
});

test.each([
  ['into memory only', false],
  ['through to the device', true],
])('what is written to it %s while it is copied is noticed, and no run is made', async (_name, flush) => {
  const write = async (): Promise<void> => {
    const handle = await open(device, 'r+');
    await handle.write(Buffer.alloc(4096, 9), 0, 4096, 1 << 20);
    if (flush) await handle.sync();
    await handle.close();
  };
  expect(await refusal(before(write))).toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    reason: 'BUSY',
    message: expect.stringContaining('was written to while it was read'),
  });
});

test('what was discarded is noticed', async () => {
  const discard = async (): Promise<void> => void (await run('blkdiscard', ['-f', device]));
  expect(await refusal(before(discard))).toMatchObject({ reason: 'BUSY' });
});

test('where the kernel does not count, it is refused with the way out', async () => {
  const isCounted = `/sys/block/${basename(device)}/queue/iostats`;
  await writeFile(isCounted, '0');
  try {
    const error = await refusal();
    expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
    expect(error.message).toMatch(/iostats is 0, set it to 1/);
  } finally {
    await writeFile(isCounted, '1');
  }
});

test('a file that is a writable device is refused: that device may hold back what it was told to write', async () => {
  const error = await refusal(imagesSource([file], { format: 'raw' }));
  expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
  expect(error.message).toContain(device);
});
