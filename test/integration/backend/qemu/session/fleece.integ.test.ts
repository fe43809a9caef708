/** Fleecing sessions on a real QEMU whose disks are being written all the time. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findSessions } from '../../../../../lib/backend/qemu/own/sessionParts.js';
import type { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { beginSession, resumeSession } from '../../../../../lib/backend/qemu/session/begin.js';
import { qemuImg } from '../../../../helpers/qemuTools.js';
import { StorageDaemon } from '../../../../helpers/storageDaemon.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const run = promisify(execFile);
let folder: TemporaryFolder;
let daemon: StorageDaemon;
let client: QmpClient;

beforeEach(async () => {
  folder = await makeTemporaryFolder();
  for (const name of ['a', 'b']) {
    await qemuImg('create', '-q', '-f', 'qcow2', join(folder.path, `${name}.qcow2`), '16M');
  }
  daemon = await StorageDaemon.start({
    disks: ['a', 'b'].map((node) => ({ node, file: join(folder.path, `${node}.qcow2`) })),
  });
  await daemon.exportWritable('a', 'b');
  client = await daemon.process.connect();
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
    nbdSocket: daemon.nbdPath,
    scratch: { folder: folder.path },
    disks: ['a', 'b'],
    ...options,
  });
async function read(uri: string): Promise<Buffer> {
  const file = join(folder.path, 'read.raw');
  await run('qemu-img', ['convert', '-O', 'raw', uri, file]);
  return readFile(file);
}

describe('a fleecing session', () => {
  test('shows the instant while the guest goes on writing; commit leaves nothing but the point', async () => {
    await daemon.guestIo('a', 'write -P 1 0 1M', 'write -P 2 8M 64k');
    const session = await begin();
    expect(session.disks.map(({ disk, verdict, reason }) => ({ disk, verdict, reason }))).toEqual([
      { disk: 'a', verdict: 'full', reason: 'NOT_RECORDING' },
      { disk: 'b', verdict: 'full', reason: 'NOT_RECORDING' },
    ]);
    await daemon.guestIo('a', 'write -P 9 0 2M', 'write -z 8M 64k');
    const seen = await read(session.disks[0]!.unsafeExportUri!);
    expect(seen.subarray(0, 1 << 20).every((byte) => byte === 1)).toBe(true);
    expect(seen.subarray(1 << 20, 2 << 20).every((byte) => byte === 0)).toBe(true);
    expect(seen.subarray(8 << 20, (8 << 20) + 65_536).every((byte) => byte === 2)).toBe(true);
    const { disks } = await session.commit();
    expect(disks.every((disk) => disk.error === undefined)).toBe(true);
    expect(await findSessions(client)).toEqual(new Map());
    const next = await begin();
    expect(next.disks.map(({ verdict, base }) => ({ verdict, base }))).toEqual([
      { verdict: 'incremental', base: session.pit },
      { verdict: 'incremental', base: session.pit },
    ]);
    await next.rollback();
    const again = await begin();
    expect(again.disks[0]).toMatchObject({ verdict: 'incremental', base: session.pit });
    await again.rollback();
  });

  test('a second session is refused while one is open, and says how to end it', async () => {
    const session = await begin();
    await expect(begin()).rejects.toMatchObject({
      reason: 'BUSY',
      message: expect.stringContaining(session.pit),
    });
    const other = await resumeSession(client, session.pit, noDisk);
    expect(other.disks).toEqual(session.disks);
    await other.commit();
    await expect(resumeSession(client, session.pit, noDisk)).rejects.toMatchObject({
      code: 'ERR_CBT_CLOSED',
    });
  });

  test('breaks when its job ends without it, rolls back by itself, and the guest still writes', async () => {
    const first = await begin();
    await first.commit();
    const session = await begin();
    await daemon.process.control.execute('job-cancel', { id: `cbtj-${session.tag}-0` });
    await expect(session.commit()).rejects.toMatchObject({ message: expect.stringContaining('is broken') });
    await session[Symbol.asyncDispose]();
    expect(await findSessions(client)).toEqual(new Map());
    await daemon.guestIo('a', 'write -P 3 0 64k');
    const next = await begin();
    expect(next.disks[0]).toMatchObject({ verdict: 'incremental', base: first.pit });
    await next.rollback();
  });
});
