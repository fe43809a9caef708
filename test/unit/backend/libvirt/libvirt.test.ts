/** What a libvirt may answer that a real one hardly does. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DomainWay } from '../../../../lib/backend/libvirt/domainWay.js';
import { Libvirt } from '../../../../lib/backend/libvirt/libvirt.js';
import { parseLibvirtUri } from '../../../../lib/backend/libvirt/libvirtUri.js';
import { eventually } from '../../../helpers/eventually.js';
import { FakeLibvirt } from '../../../helpers/fakeLibvirt.js';
import { refusalOf } from '../../../helpers/refusal.js';

let fake: FakeLibvirt;
const connect = (): Promise<Libvirt> => Libvirt.connect(parseLibvirtUri(fake.uri));

beforeEach(async () => {
  fake = await FakeLibvirt.start([
    { name: 'web', uuid: 'aaaaaaaa-1111-4222-8333-444444444444', xml: '<domain/>', qmp: null },
  ]);
});
afterEach(() => fake?.[Symbol.asyncDispose]());

test('one that asks for a password is refused with the way out, and one that lets us not in says who it lets in', async () => {
  fake.authentication = [1];
  expect(await refusalOf(connect())).toMatchObject({
    code: 'ERR_CBT_UNSUPPORTED',
    message: expect.stringMatching(/SASL.*auth_unix_rw/),
  });
  fake.authentication = [2];
  expect(await refusalOf(connect())).toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    message: expect.stringContaining('group libvirt'),
  });
  fake.authentication = [2, 0];
  await (await connect()).close();
});

test('nobody at its sockets is said with their paths', async () => {
  expect(await refusalOf(Libvirt.connect(parseLibvirtUri('qemu:///system?socket=/nowhere')))).toMatchObject({
    code: 'ERR_CBT_BACKEND_UNAVAILABLE',
    message: expect.stringMatching(/nobody listens at \/nowhere; is virtqemud or libvirtd running/),
  });
});

test('its question whether we are there is answered', async () => {
  await using libvirt = await connect();
  fake.ping();
  await eventually(() => expect(fake.pongs).toBe(1));
  expect(await libvirt.domains()).toHaveLength(1);
});

test('a connection that goes ends every call with one reason, and is not made anew', async () => {
  const libvirt = await connect();
  const ended = libvirt.ended;
  fake.drop();
  expect(await ended).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
  expect(libvirt.open).toBe(false);
  expect(await refusalOf(libvirt.domains())).toMatchObject({ message: expect.stringContaining('is gone') });
  await libvirt.close();
});

test.each<[string, (reply: Buffer) => Buffer, string | RegExp]>([
  ['no message', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /a message of \d+ bytes/],
  ['of another version', (reply) => patched(reply, 8, 2), /version 2/],
  ['to a call that nobody made', (reply) => patched(reply, 20, 99), /serial 99/],
  ['to another call', (reply) => patched(reply, 12, 1), /procedure 1/],
  ['that is a call', (reply) => patched(reply, 16, 0), /kind 0/],
  ['that ends early', (reply) => patched(reply.subarray(0, 32), 0, 32), /ends in the middle|in 0 bytes/],
  [
    'that goes on',
    (reply) => patched(Buffer.concat([reply, Buffer.alloc(4)]), 0, reply.length + 4),
    /4 bytes follow/,
  ],
])('an answer %s is a broken protocol', async (_, garble, message) => {
  await using libvirt = await connect();
  fake.garble = garble;
  expect(await refusalOf(libvirt.domains())).toMatchObject({
    code: 'ERR_CBT_BACKEND_PROTOCOL',
    message: expect.stringMatching(message),
  });
});

test('a domain that is off is nobody, by any of its names', async () => {
  for (const name of ['web', 'AAAAAAAA-1111-4222-8333-444444444444'])
    expect(await refusalOf(new DomainWay(`libvirt:${fake.uri}#${name}`).connect())).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      details: { power: 'off' },
    });
});

test('a call that takes too long, or is cancelled, ends; its late answer harms nobody', async () => {
  await using libvirt = await connect();
  const stop = new AbortController();
  const asked = libvirt.domains({ signal: stop.signal });
  stop.abort();
  expect(await refusalOf(asked)).toMatchObject({ code: 'ERR_CBT_ABORTED' });
  expect(await libvirt.domains()).toHaveLength(1);
});

function patched(bytes: Buffer, at: number, word: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt32BE(word, at);
  return copy;
}
