/** Small files of a folder that is somebody else's text: nothing but a regular file is read, and nothing is waited for. */
import { execFile } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSmallFile } from '../../../lib/backup/durable.js';
import { refusalOf } from '../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let path: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  path = join(folder.path, 'lock.json');
});
afterEach(() => folder.remove());

const refused = async () =>
  expect((await refusalOf(readSmallFile(path, 10))).code).toBe('ERR_CBT_CORRUPT_IMAGE');

test('a file is its text, none is null, one too large is refused', async () => {
  expect(await readSmallFile(path, 10)).toBeNull();
  await writeFile(path, 'ten bytes!');
  expect(await readSmallFile(path, 10)).toBe('ten bytes!');
  await writeFile(path, 'eleven bytes');
  await refused();
});

test('a FIFO that nobody writes to does not hang', async () => {
  await promisify(execFile)('mkfifo', [path]);
  await refused();
});

test('a link is not followed, a device and a socket are not read', async () => {
  await symlink('/dev/zero', path);
  await refused();
  expect((await refusalOf(readSmallFile('/dev/zero', 10))).message).toContain('not a regular file');
  const server = createServer().listen(`${path}.sock`);
  await new Promise((resolve) => server.once('listening', resolve));
  expect((await refusalOf(readSmallFile(`${path}.sock`, 10))).code).toBe('ERR_CBT_CORRUPT_IMAGE');
  await new Promise((resolve) => server.close(resolve));
});
