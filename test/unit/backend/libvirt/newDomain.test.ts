/** A new domain's XML from an old one's: what stays, what is its own, what it lacks. */
import { expect, test } from 'vitest';
import { parseDomainXml } from '../../../../lib/backend/libvirt/domainXml.js';
import { newDomainXml, whatIsNotInABackup } from '../../../../lib/backend/libvirt/newDomain.js';
import { refusal } from '../../../helpers/refusal.js';

const OLD = `<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web</name><uuid>aaaaaaaa-1111-4222-8333-444444444444</uuid><genid>bbbbbbbb-1111-4222-8333-444444444444</genid>
  <metadata><x:y xmlns:x="http://x.example/">a &amp; b</x:y></metadata>
  <os><type arch='x86_64'>hvm</type><nvram template='/usr/share/VARS.fd'>/var/lib/libvirt/nvram/web.fd</nvram></os>
  <devices>
    <disk type='block' device='lun'><driver name='qemu' type='raw' cache='none'/><source dev='/dev/vg/web'/><backingStore/><target dev='vda' bus='virtio'/><serial>S1</serial></disk>
    <disk type='file' device='disk'><source file='/old/b.qcow2'/><target dev='vdb'/></disk>
    <disk type='file' device='cdrom'><source file='/iso'/><target dev='sda'/><readonly/></disk>
    <interface type='bridge'><mac address='52:54:00:11:22:33'/><source bridge='br0'/></interface>
    <tpm model='tpm-crb'><backend type='emulator'/></tpm>
  </devices>
  <qemu:commandline><qemu:arg value='-foo "&lt;x>"'/></qemu:commandline>
</domain>`;
const files = new Map([['vda', '/new/a & b/vda.qcow2']]);

test('has its own name, UUID, MACs and NVRAM, and its disks over the files; what else there is stays', () => {
  const { xml, missing } = newDomainXml(OLD, { name: 'web<2>', files, format: 'qcow2' });
  expect(xml).not.toMatch(/aaaaaaaa|bbbbbbbb|52:54|web\.fd|\/dev\/vg|old/);
  expect(xml).toContain('<name>web&lt;2&gt;</name><genid/><metadata>');
  expect(xml).toContain('<nvram template="/usr/share/VARS.fd"/>');
  expect(xml).toContain('<x:y xmlns:x="http://x.example/">a &amp; b</x:y>');
  expect(xml).toContain('<qemu:arg value="-foo &quot;&lt;x&gt;&quot;"/>');
  expect(xml).toContain('<interface type="bridge"><source bridge="br0"/></interface>');
  expect(xml).toContain(
    '<disk type="file" device="disk"><driver name="qemu" type="qcow2" cache="none"/><source file="/new/a &amp; b/vda.qcow2"/><target dev="vda" bus="virtio"/><serial>S1</serial></disk>',
  );
  expect(parseDomainXml('web2', xml).disks.map(({ target, file }) => [target, file])).toEqual([
    ['vda', '/new/a & b/vda.qcow2'],
    ['sda', '/iso'],
  ]);
  const lacks = ['the firmware’s variables (NVRAM /var/lib/libvirt/nvram/web.fd)', 'the state of its TPM'];
  expect(missing).toEqual([...lacks, 'disk vdb, which the run does not have']);
  expect(whatIsNotInABackup(OLD)).toEqual(lacks);
});

test('keeps who the old one was where that is asked for', () => {
  const { xml } = newDomainXml(OLD, { name: 'web', files, format: 'raw', sameIdentity: true });
  expect(xml).toMatch(/aaaaaaaa.*bbbbbbbb.*type="raw".*52:54:00:11:22:33/s);
});

test.each(['', '<network/>', '<domain>', '<!DOCTYPE a><domain/>'])(
  'what is no domain is refused: %s',
  (xml) => {
    expect(refusal(() => newDomainXml(xml, { name: 'x', files, format: 'raw' })).code).toBe(
      'ERR_CBT_BACKEND_PROTOCOL',
    );
  },
);
