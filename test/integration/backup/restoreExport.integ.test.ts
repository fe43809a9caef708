/** `restore` to exports that do less than QEMU's: restored byte for byte, or refused with the export as it was. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backup } from '../../../lib/backup/backup.js';
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import { restore } from '../../../lib/backup/restore.js';
import { startNbdkit } from '../../helpers/nbdServers.js';
import { makeTemporaryFolder, qemuImg, qemuIo, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { refusalOf } from '../../helpers/refusal.js';

/** Ends within a block of 4096, and within a cluster. */
const SIZE = (4 << 20) + 1536;
let folder: TemporaryFolder;
let to: string;
let wanted: Buffer;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  to = join(folder.path, 'backups');
  const image = join(folder.path, 'disk.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', image, String(SIZE));
  for (const commands of [
    ['write -P 1 0 1M', `write -P 7 4M 1536`],
    ['write -P 3 512k 1M', 'write -z 128k 64k', `write -P 8 ${SIZE - 512} 512`],
  ]) {
    await qemuIo(['-f', 'qcow2', image], ...commands);
    await backup(imagesSource([image]), { to });
  }
  const raw = join(folder.path, 'wanted.raw');
  await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', image, raw);
  wanted = await readFile(raw);
});
afterAll(() => folder.remove());

const blocks = (minimum: number, preferred = 65_536, maximum = 1 << 20): string[] => [
  ...['--filter=blocksize-policy', 'file', 'FILE'],
  ...[`blocksize-minimum=${minimum}`, `blocksize-preferred=${preferred}`, `blocksize-maximum=${maximum}`],
  'blocksize-error-policy=error',
];
const ROOMY = 5 << 20;

/** Restores to nbdkit's export of a file full of other bytes; gives what the file holds then. */
async function into(
  size: number,
  args: readonly string[],
): Promise<{
  before: Buffer;
  after: () => Promise<Buffer>;
  work: () => Promise<unknown>;
  stop: () => Promise<void>;
}> {
  const file = join(folder.path, `target-${size}.raw`);
  const before = Buffer.alloc(size, 0xa5);
  await writeFile(file, before);
  const server = await startNbdkit(folder.path, ...args.map((arg) => (arg === 'FILE' ? file : arg)));
  return {
    before,
    after: () => readFile(file),
    work: () => restore({ from: to, to: `nbd+unix:///?socket=${encodeURIComponent(server.socket)}` }),
    stop: () => server.stop(),
  };
}

describe('restored', () => {
  test.each<[string, number, string[]]>([
    ['without a command to zero', SIZE, ['--filter=nozero', 'file', 'FILE']],
    ['with blocks of 4096 bytes', ROOMY, blocks(4096)],
    ['with blocks of 64 KiB', ROOMY, blocks(65_536)],
    ['with both', ROOMY, ['--filter=nozero', ...blocks(4096)]],
    ['with small requests', ROOMY, blocks(512, 4096, 4096)],
    [
      'that offers to zero and refuses',
      SIZE,
      ['--filter=error', 'file', 'FILE', 'error-zero=EINVAL', 'error-zero-rate=100%'],
    ],
  ])('to an export %s', async (_, size, args) => {
    const target = await into(size, args);
    try {
      await target.work();
      const found = await target.after();
      expect(found.subarray(0, SIZE).equals(wanted)).toBe(true);
      // What lies behind the disk's end stays as it was.
      expect(found.subarray(SIZE).equals(target.before.subarray(SIZE))).toBe(true);
    } finally {
      await target.stop();
    }
  });
});

describe('refused before the first byte', () => {
  test.each<[string, number, string[]]>([
    ['ends within the block that the disk’s last bytes need', SIZE, blocks(4096)],
    ['is too small', SIZE - 512, ['file', 'FILE']],
    ['is read-only', SIZE, ['-r', 'file', 'FILE']],
  ])('where the export %s', async (_, size, args) => {
    const target = await into(size, args);
    try {
      await refusalOf(target.work);
      expect((await target.after()).equals(target.before)).toBe(true);
    } finally {
      await target.stop();
    }
  });
});
