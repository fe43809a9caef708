/** Sessions whose scratch folder cannot hold a socket: its path is too long, or its file system has no sockets. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  placeOfSocket,
  removeSocketElsewhere,
  socketElsewhere,
} from '../../../../../lib/backend/qemu/own/socketPlace.js';
import type { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { beginSession, resumeSession } from '../../../../../lib/backend/qemu/session/begin.js';
import { qemuImg, qemuIo } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let daemon: StorageDaemon;
let client: QmpClient;
let scratch: string;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  const file = join(folder.path, 'a.qcow2');
  await qemuImg('create', '-q', '-f', 'qcow2', file, '4M');
  await qemuIo(['-f', 'qcow2', file], 'write -P 7 0 1M');
  daemon = await StorageDaemon.start({ disks: [{ node: 'a', file }] });
  client = await daemon.process.connect();
  scratch = join(folder.path, 'long'.repeat(30));
  await mkdir(scratch);
});
afterEach(async () => {
  await client.close();
  await daemon[Symbol.asyncDispose]();
  await folder.remove();
});

const noDisk = async (): Promise<never> => {
  throw new Error('this test opens no disk');
};
const begin = (options = {}) =>
  beginSession(client, noDisk, {
    scratch: { folder: scratch },
    disks: ['a'],
    ...options,
  });
/** Path of the socket in an export's URI. */
const socketOf = (uri: string | undefined): string => new URL(uri ?? '').searchParams.get('socket') ?? '';

test('a path that is too long: the socket is in a folder of its own that only we can enter, and goes with the session', async () => {
  const session = await begin();
  const uri = session.disks[0]?.unsafeExportUri;
  const place = dirname(socketOf(uri));
  expect(place).toMatch(/^\/tmp\/cbt-s-/);
  expect((await stat(place)).mode & 0o777).toBe(0o700);
  await qemuIo(['-r', '-f', 'raw', uri ?? ''], 'read -P 7 0 1M');
  await session.commit();
  expect(await stat(place).catch(() => null)).toBeNull();
  expect(await readdir(scratch)).toEqual([]);
});

test('a later process ends it in the same way', async () => {
  const { pit, disks } = await begin({ detached: true, allowUnwatchedScratch: true });
  const place = dirname(socketOf(disks[0]?.unsafeExportUri));
  const resumed = await resumeSession(client, pit, noDisk);
  await resumed.rollback();
  expect(await stat(place).catch(() => null)).toBeNull();
  expect(await readdir(scratch)).toEqual([]);
});

test('a file system without sockets: elsewhere too', async () => {
  // Nothing can be made there, sockets neither.
  const none = `/proc/${process.pid}`;
  const socket = await placeOfSocket(none, client.host);
  expect(socket).toBe(socketElsewhere(none));
  await removeSocketElsewhere(none);
  expect(await stat(dirname(socket)).catch(() => null)).toBeNull();
});

test('a folder of that name that somebody else made is not used', async () => {
  const none = `/proc/${process.pid}`;
  await mkdir(dirname(socketElsewhere(none)), { mode: 0o777 });
  await expect(placeOfSocket(none, client.host)).rejects.toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
  });
  await removeSocketElsewhere(none);
});
