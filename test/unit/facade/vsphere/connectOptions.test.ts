/** What `connect` and `connectHost` are given is checked before anything is begun. */
import { describe, expect, test } from 'vitest';
import {
  type ConnectOptions,
  connect,
  connectHost,
  InvalidArgument,
} from '../../../../lib/facade/vsphere/index.js';

const VM = { name: 'web', qmpSocket: '/run/web.qmp' };

function faultOf(options: unknown): InvalidArgument {
  try {
    connect(options as ConnectOptions);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(InvalidArgument);
    return thrown as InvalidArgument;
  }
  throw new Error('no fault');
}

describe('connect', () => {
  test.each<[string, unknown, RegExp]>([
    ['options of connect', null, /an object/],
    ['vms', {}, /vms is undefined, expected a list/],
    ['vms', { vms: VM }, /a list/],
    ['vms[0]', { vms: ['web'] }, /options of vms\[0\]|vms\[0\]/],
    ['maxAreas', { vms: [VM], maxAreas: 5 }, /connect has no option "maxAreas"/],
    ['maxAreasPerCall', { vms: [VM], maxAreasPerCall: Number.NaN }, /at least 1/],
    ['stateFolder', { vms: [VM], stateFolder: '' }, /not empty/],
    ['vms[0].name', { vms: [{ qmpSocket: '/a' }] }, /name is undefined/],
    ['vms[0].socket', { vms: [{ name: 'web', socket: '/a' }] }, /has no option "socket"/],
    ['vms[0].qmpSocket', { vms: [{ name: 'web' }] }, /QMP socket/],
    ['vms[0].qmpSocket', { vms: [{ ...VM, libvirt: 'qemu:///system#web' }] }, /in its place/],
    ['vms[0].disks', { vms: [{ ...VM, disks: 'vd0' }] }, /a list of names/],
    ['vms[0].disks', { vms: [{ ...VM, disks: [] }] }, /at least one/],
    ['vms[0].disks[1]', { vms: [{ ...VM, disks: ['vd0', 'vd0'] }] }, /once/],
    ['vms[0].images["vd0"]', { vms: [{ ...VM, images: { vd0: '' } }] }, /not empty/],
    ['vms[0].uuid', { vms: [{ ...VM, uuid: 'web' }] }, /a UUID/],
    ['vms[0].allowUnwatchedScratch', { vms: [{ ...VM, allowUnwatchedScratch: 'no' }] }, /true or false/],
    ['vms[1].name', { vms: [VM, { ...VM, qmpSocket: '/b' }] }, /that of vms\[0\]/],
  ])('refuses %s', (invalidProperty, options, message) => {
    expect(faultOf(options)).toMatchObject({
      name: 'InvalidArgument',
      message: expect.stringMatching(message),
    });
    if (invalidProperty !== 'vms[0]') expect(faultOf(options).invalidProperty).toBe(invalidProperty);
  });

  test('takes what is right, also where it is undefined', () => {
    const options = { vms: [{ ...VM, uuid: undefined, disks: ['vd0', 'vd1'] }], maxAreasPerCall: undefined };
    expect(connect(options).content.about.apiType).toBe('HostAgent');
  });
});

test('connectHost refuses before it looks for a file', async () => {
  for (const options of [{ vms: [VM] }, { file: '' }, { maxAreasPerCall: 0 }, null])
    await expect(connectHost(options as never)).rejects.toMatchObject({ name: 'InvalidArgument' });
});
