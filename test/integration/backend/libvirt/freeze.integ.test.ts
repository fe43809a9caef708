/** A domain's guest is frozen by its libvirt, which has the agent, and never left so. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DomainWay } from '../../../../lib/backend/libvirt/domainWay.js';
import type { QmpPort } from '../../../../lib/backend/qemu/qmp/qmpPort.js';
import { CbtError } from '../../../../lib/core/errors.js';
import { FakeLibvirt } from '../../../helpers/fakeLibvirt.js';
import type { QemuProcess } from '../../../helpers/qemuProcess.js';
import { startQemuSystem } from '../../../helpers/qemuSystem.js';
import { refusalOf } from '../../../helpers/refusal.js';

let qemu: QemuProcess;
let libvirt: FakeLibvirt;
let way: DomainWay;
let port: QmpPort;
let noted: string[];
const record = {
  freezing: async () => void noted.push('freezing'),
  thawed: async () => void noted.push('thawed'),
};

beforeEach(async () => {
  noted = [];
  qemu = await startQemuSystem([]);
  const uuid = 'aaaaaaaa-1111-4222-8333-444444444444';
  libvirt = await FakeLibvirt.start([{ name: 'web', uuid, xml: '<domain/>', qmp: qemu.qmpPath }]);
  way = new DomainWay(`libvirt:${libvirt.uri}#web`);
  port = await way.connect();
});
afterEach(async () => {
  await port?.close();
  await libvirt?.[Symbol.asyncDispose]();
  await qemu?.[Symbol.asyncDispose]();
});

const frozenDuring = async (work: () => Promise<unknown>, options = {}) =>
  port.host.whileFrozen(port.host.agentAddress(undefined), work, { record, ...options });

test('the guest is frozen for the work, and thawed after it; the record says so before and after', async () => {
  const seen = await frozenDuring(async () => [libvirt.frozen, [...noted]]);
  expect(seen).toEqual({ value: [2, ['freezing']], frozenFileSystems: 2 });
  expect([libvirt.frozen, noted]).toEqual([0, ['freezing', 'thawed']]);
});

test('work that fails, takes too long or is cancelled, and a daemon that goes meanwhile: the guest is thawed', async () => {
  expect(
    await refusalOf(frozenDuring(() => Promise.reject(new CbtError('ERR_CBT_CLOSED', 'no')))),
  ).toMatchObject({
    message: 'no',
  });
  expect(libvirt.frozen).toBe(0);
  const slow = (stop: AbortSignal): Promise<void> =>
    new Promise((resolve) => stop.addEventListener('abort', () => resolve()));
  expect(await refusalOf(port.host.whileFrozen('', slow, { record, maxFrozenMs: 50 }))).toMatchObject({
    code: 'ERR_CBT_TIMEOUT',
  });
  expect(libvirt.frozen).toBe(0);
  await frozenDuring(async () => libvirt.drop()).catch(() => undefined);
  expect(libvirt.frozen).toBe(0);
});

test('a guest that somebody else froze is left alone; one without an agent is not touched', async () => {
  libvirt.frozen = 1;
  expect(await refusalOf(frozenDuring(async () => 1))).toMatchObject({ reason: 'BUSY' });
  expect([libvirt.frozen, noted]).toEqual([1, []]);
  libvirt.frozen = null;
  expect(await refusalOf(frozenDuring(async () => 1))).toMatchObject({
    code: 'ERR_CBT_UNSUPPORTED',
    message: expect.stringContaining('agent is not configured'),
  });
  expect(noted).toEqual([]);
});

test('what was left frozen is thawed by whoever comes later, as the record names it', async () => {
  const agent = port.host.agentAddress(undefined);
  expect(await way.thawLeft(agent)).toBe(false);
  libvirt.frozen = 2;
  expect(await way.thawLeft(agent)).toBe(true);
  expect(libvirt.frozen).toBe(0);
});
