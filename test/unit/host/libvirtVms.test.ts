/** A libvirt that answers slowly, or not at all: what it costs those who want to know of its domains. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { domainVm, LibvirtVms } from '../../../lib/host/libvirtVms.js';
import { eventually } from '../../helpers/eventually.js';
import { FakeLibvirt } from '../../helpers/fakeLibvirt.js';

let fake: FakeLibvirt;
let vms: LibvirtVms;
const names = async (): Promise<string[]> => (await vms.list(new Set(), () => false)).map(({ name }) => name);

beforeEach(async () => {
  fake = await FakeLibvirt.start([
    { name: 'web', uuid: 'aaaaaaaa-1111-4222-8333-444444444444', xml: '<domain/>', qmp: null },
  ]);
  vms = new LibvirtVms(fake.uri, (entry) => domainVm(entry, '/nowhere'), '/nowhere');
});
afterEach(() => fake?.[Symbol.asyncDispose]());

test('it is asked once for all who ask at the same time', async () => {
  expect(await Promise.all([names(), names(), names()])).toEqual([['web'], ['web'], ['web']]);
  expect(fake.calls.filter((call) => call === 'domains')).toHaveLength(1);
  await names();
  expect(fake.calls.filter((call) => call === 'domains')).toHaveLength(2);
});

test('one that hangs is waited for a few seconds, once; what it had stays listed, and it is asked again later', async () => {
  expect(await names()).toEqual(['web']);
  fake.hold = 'domains';
  const silent = ['web', `libvirt:${fake.uri}`];
  expect(await Promise.all([names(), names()])).toEqual([silent, silent]);
  expect(await names()).toEqual(silent);
  expect(fake.held).toBe(1);
  fake.hold = null;
  await eventually(async () => expect(await names()).toEqual(['web']));
}, 60_000);

test('one that is not there is told at once, and back as soon as it is', async () => {
  fake.away = true;
  expect(await names()).toEqual([`libvirt:${fake.uri}`]);
  fake.away = false;
  expect(await names()).toEqual(['web']);
});
