import { expect, test } from 'vitest';
import { parseDomainXml } from '../../../../lib/backend/libvirt/domainXml.js';

const domain = (devices: string, rest = ''): string =>
  `<domain type='kvm' id='3'><name>web</name><devices>${devices}</devices>${rest}</domain>`;

test('disks are told with what leads to them', () => {
  const xml = domain(`
    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/a.qcow2' index='2'/>
      <backingStore type='file'><format type='qcow2'/><source file='/i/base.qcow2'/><backingStore/></backingStore>
      <target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>
    <disk type='block' device='lun'><source dev='/dev/sdx'/><target dev='sda'/></disk>
    <disk type='network'><source protocol='rbd' name='p/i'/><target dev='vdb'/></disk>
    <disk type='file' device='cdrom'><target dev='hda'/><readonly/></disk>`);
  expect(parseDomainXml('web', xml).disks).toEqual([
    {
      target: 'vda',
      alias: 'virtio-disk0',
      device: 'disk',
      type: 'file',
      file: '/i/a.qcow2',
      format: 'qcow2',
    },
    { target: 'sda', alias: null, device: 'lun', type: 'block', file: '/dev/sdx', format: null },
    { target: 'vdb', alias: null, device: 'disk', type: 'network', file: null, format: null },
    { target: 'hda', alias: null, device: 'cdrom', type: 'file', file: null, format: null },
  ]);
});

test.each([
  ['', null, null],
  [
    `<seclabel type='dynamic' model='dac' relabel='yes'><label>+64055:+107</label></seclabel>`,
    { uid: 64_055, gid: 107 },
    null,
  ],
  [
    `<seclabel type='dynamic' model='apparmor'><label>libvirt-1</label></seclabel><seclabel model='dac'><label>+0:+0</label></seclabel>`,
    { uid: 0, gid: 0 },
    'apparmor',
  ],
  [
    `<seclabel type='none' model='selinux'/><seclabel model='dac'><label>qemu:qemu</label></seclabel>`,
    null,
    null,
  ],
])('whose QEMU is, and what confines it: %s', (labels, owner, confinedBy) => {
  expect(parseDomainXml('web', domain('', labels))).toMatchObject({ owner, confinedBy });
});

test.each([
  ['no XML', /broken/],
  ['<network/>', /one of <network>/],
  ['<!DOCTYPE d [<!ENTITY a "b">]><domain/>', /DOCTYPE/],
  [domain(`<disk><source file='/a'/></disk>`), /without a target/],
  [domain(`<disk><target dev='vda'/></disk><disk><target dev='vda'/></disk>`), /two disks vda/],
  ['<a>'.repeat(600), /at most 512/],
])('%s is refused', (xml, message) => {
  expect(() => parseDomainXml('web', xml)).toThrow(
    expect.objectContaining({ code: 'ERR_CBT_BACKEND_PROTOCOL', message: expect.stringMatching(message) }),
  );
});
