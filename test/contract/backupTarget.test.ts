import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { folderTarget } from '../../lib/backup/targets/folderTarget.js';
import { httpTarget } from '../../lib/backup/targets/httpTarget.js';
import { s3Target } from '../../lib/backup/targets/s3Target.js';
import { ObjectServer, signed } from '../helpers/objectServer.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { type MakeTarget, targetContract } from './backupTarget.js';

const folder: MakeTarget = async () => {
  const made = await makeTemporaryFolder();
  return {
    target: folderTarget(join(made.path, 'backups')),
    leftovers: async () =>
      (await readdir(made.path, { recursive: true })).filter((name) => name.includes('.part')),
    [Symbol.asyncDispose]: () => made.remove(),
  };
};

const plain: MakeTarget = async () => {
  const server = await ObjectServer.start('plain');
  return {
    target: httpTarget({ url: server.url, fetch: signed, bufferBytes: 8 << 20 }),
    leftovers: async () => [],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

const bucket =
  (prefix?: string): MakeTarget =>
  async () => {
    const server = await ObjectServer.start('s3');
    return {
      target: s3Target({ url: server.url, prefix, fetch: signed, partBytes: 5 << 20 }),
      leftovers: async () => [...server.uploads.keys()],
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  };

targetContract('a folder', folder);
targetContract('a web server', plain);
targetContract('a bucket', bucket());
targetContract('a part of a bucket', bucket('backups/web & db/'));

async function withBucket(work: (server: ObjectServer) => Promise<void>): Promise<void> {
  await using server = await ObjectServer.start('s3');
  await work(server);
}
const large = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < 11; at += 1) yield Buffer.alloc(1 << 20, at);
};
const options = { atMostBytes: 11 << 20 };

test('a bucket that says 200 and means an error fails the upload, which is called off', () =>
  withBucket(async (server) => {
    server.failLate = true;
    const target = s3Target({ url: server.url, fetch: signed, partBytes: 5 << 20 });
    await expect(target.write('data/x/0.data', large(), options)).rejects.toMatchObject({
      code: 'ERR_CBT_BACKEND_PROTOCOL',
      message: expect.stringContaining('InternalError'),
    });
    expect([server.objects.size, server.uploads.size]).toEqual([0, 0]);
  }));

test('a part that fails ends the upload, and no secret is in what is said', () =>
  withBucket(async (server) => {
    server.fail = (request) => (request.includes('partNumber=2') ? 503 : null);
    const url = server.url.replace('//', '//key:hunter2@');
    const fetch = (at: string, init: RequestInit) =>
      signed(`${at.replace('key:hunter2@', '')}&X-Amz-Signature=hunter2`.replace(/(\/[^?&]*)&/, '$1?'), init);
    const target = s3Target({ url, fetch, partBytes: 5 << 20 });
    const failed = await target.write('data/x/0.data', large(), options).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', details: { status: 503 } });
    expect(JSON.stringify(failed) + String(failed) + target.name).not.toContain('hunter2');
    expect([server.objects.size, server.uploads.size]).toEqual([0, 0]);
  }));

test('a list that is cut off and does not say how to go on is no list', async () => {
  const answer =
    '<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>';
  const target = s3Target({ url: 'http://host/b', fetch: async () => new Response(answer) });
  const listing = (async () => {
    for await (const _ of target.list(''));
  })();
  await expect(listing).rejects.toMatchObject({ code: 'ERR_CBT_BACKEND_PROTOCOL' });
});

test('a server that knows no ranges is found out', async () => {
  const target = httpTarget({ url: 'http://host/b', fetch: async () => new Response('all of it') });
  const reading = (async () => {
    for await (const _ of target.read('a', { offset: 2, length: 3 }));
  })();
  await expect(reading).rejects.toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    details: { status: 200 },
  });
});

test.each<[string, () => unknown]>([
  ['no fetch', () => s3Target({ url: 'http://h' } as never)],
  ['an address that is none', () => httpTarget({ url: 'host' })],
  ['another protocol', () => httpTarget({ url: 'ftp://host' })],
  ['parts that S3 refuses', () => s3Target({ url: 'http://h', fetch: signed, partBytes: 1024 })],
  ['a misspelt option', () => s3Target({ url: 'http://h', fetch: signed, part: 1 } as never)],
  ['an empty path', () => folderTarget('')],
])('%s is refused', (_, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'ERR_CBT_INVALID_ARGUMENT' }));
});

test('a key never leads out of a folder', async () => {
  const made = await makeTemporaryFolder();
  try {
    const target = folderTarget(join(made.path, 'in'));
    for (const key of ['../out', 'a/../../out', '/etc/x', 'a//b', '.', '', 'a/.hidden'])
      await expect(target.write(key, large(), options), key).rejects.toMatchObject({
        code: 'ERR_CBT_INVALID_ARGUMENT',
      });
    expect(await readdir(made.path)).toEqual([]);
  } finally {
    await made.remove();
  }
});
