import { expect, test } from 'vitest';
import { parseDomainName } from '../../../../lib/backend/libvirt/domainName.js';
import { defaultUri, parseLibvirtUri } from '../../../../lib/backend/libvirt/libvirtUri.js';

const ENV = { XDG_RUNTIME_DIR: '/run/user/7', HOME: '/home/me' };

test.each([
  ['', 'qemu:///system', ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']],
  ['qemu:///system', 'qemu:///system', ['/run/libvirt/virtqemud-sock', '/run/libvirt/libvirt-sock']],
  [
    'qemu:///session',
    'qemu:///session',
    ['/run/user/7/libvirt/virtqemud-sock', '/run/user/7/libvirt/libvirt-sock'],
  ],
  ['qemu+unix:///system?socket=/x/s', 'qemu:///system', ['/x/s']],
  ['qemu:///session?mode=direct&socket=%2Fx%2Fy%20z', 'qemu:///session', ['/x/y z']],
])('%j is opened as %s', (uri, opens, sockets) => {
  expect(parseLibvirtUri(uri, ENV)).toMatchObject({ opens, sockets });
});

test('no URI is that of the environment', () => {
  expect(defaultUri({ LIBVIRT_DEFAULT_URI: 'qemu:///session' })).toBe('qemu:///session');
  expect(
    parseLibvirtUri('', { LIBVIRT_DEFAULT_URI: 'qemu:///session', XDG_CACHE_HOME: '/c' }).sockets[0],
  ).toBe('/c/libvirt/virtqemud-sock');
});

test.each([
  ['qemu+ssh://host/system', 'ERR_CBT_UNSUPPORTED', /another machine/],
  ['qemu://host/system', 'ERR_CBT_UNSUPPORTED', /another machine/],
  ['xen:///system', 'ERR_CBT_UNSUPPORTED', /QEMU driver/],
  ['qemu:///embed', 'ERR_CBT_INVALID_ARGUMENT', /qemu:\/\/\/system or/],
  ['system', 'ERR_CBT_INVALID_ARGUMENT', /qemu:\/\/\/system or/],
  ['qemu:///system?socket=x', 'ERR_CBT_INVALID_ARGUMENT', /absolute path/],
  [`qemu:///system?socket=/${'x'.repeat(200)}`, 'ERR_CBT_INVALID_ARGUMENT', /107 bytes/],
])('%s is refused', (uri, code, message) => {
  expect(() => parseLibvirtUri(uri, ENV)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});

test.each([
  ['libvirt:qemu:///session#web', { uri: 'qemu:///session', domain: 'web', disk: '' }],
  ['libvirt:qemu:///session#web#vda', { uri: 'qemu:///session', domain: 'web', disk: 'vda' }],
  [
    'libvirt:qemu:///system?socket=/a%23b#web#/images/a#b.qcow2',
    { domain: 'web', disk: '/images/a#b.qcow2' },
  ],
])('%s is taken apart at its first two #', (name, parts) => {
  expect(parseDomainName(name)).toMatchObject(parts);
});
