/** A new domain's XML from an old one's: what stays, what is its own, which file each disk gets, what it lacks. */
import { expect, test } from 'vitest';
import { parseDomainXml } from '../../../../lib/backend/libvirt/domainXml.js';
import {
  imagesOf,
  newDomainXml,
  requireFree,
  uuidIn,
  whatIsNotInABackup,
} from '../../../../lib/backend/libvirt/newDomain.js';
import { refusal } from '../../../helpers/refusal.js';

const UUID = 'aaaaaaaa-1111-4222-8333-444444444444';
const OLD = `<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>web</name><uuid>${UUID}</uuid><genid>bbbbbbbb-1111-4222-8333-444444444444</genid>
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
const files = [{ disk: 'vda', image: '/dev/dm-3', file: '/new/a & b/vda.qcow2' }];
const DISK =
  '<disk type="file" device="disk"><driver name="qemu" type="qcow2" cache="none"/><source file="/new/a &amp; b/vda.qcow2"/><target dev="vda" bus="virtio"/><serial>S1</serial></disk>';
const LACKS = ['the firmware’s variables (NVRAM /var/lib/libvirt/nvram/web.fd)', 'the state of its TPM'];

test('has its own name, UUID and MACs, and its disks over the files', () => {
  const { xml, missing, left } = newDomainXml(OLD, { name: 'web<2>', files, format: 'qcow2' });
  expect(xml).not.toMatch(/aaaaaaaa|bbbbbbbb|52:54|fd"|\/dev\/vg|old|iso|qemu:|metadata/);
  expect(xml).toContain('<name>web&lt;2&gt;</name><genid/><os><type arch="x86_64">hvm</type></os>');
  expect(xml).toContain('<interface type="bridge"><source bridge="br0"/></interface>');
  expect(xml).toContain(DISK);
  expect(parseDomainXml('web2', xml).disks.map(({ target, file }) => [target, file])).toEqual([
    ['vda', '/new/a & b/vda.qcow2'],
    ['sda', null],
  ]);
  expect(missing).toEqual([...LACKS, 'disk vdb, which the run does not have']);
  expect(left).toEqual(['<metadata>', '<os/nvram>', '<qemu:commandline>', 'the medium of sda']);
  expect(whatIsNotInABackup(OLD)).toEqual(LACKS);
});

test('keeps all that the XML has, but what is the old one’s alone, where it is trusted', () => {
  const { xml, left } = newDomainXml(OLD, { name: 'web', files, format: 'qcow2', trust: true });
  expect(xml).not.toMatch(/aaaaaaaa|bbbbbbbb|52:54|web\.fd|\/dev\/vg|old/);
  expect(xml).toContain('<nvram template="/usr/share/VARS.fd"/>');
  expect(xml).toContain('<x:y xmlns:x="http://x.example/">a &amp; b</x:y>');
  expect(xml).toContain('<qemu:arg value="-foo &quot;&lt;x&gt;&quot;"/>');
  expect(xml).toContain(`${DISK}<disk type="file" device="cdrom"><source file="/iso"/>`);
  expect(left).toEqual([]);
});

const wanted = { name: 'web', files: [], format: 'raw' } as const;
const domain = (devices: string, more = '', os = ''): string =>
  `<domain type='kvm'><name>a</name><os><type>hvm</type>${os}</os>${more}<devices>${devices}</devices></domain>`;

test.each([
  ['<emulator>/evil</emulator>', '<emulator>'],
  ['<interface type="bridge"><source bridge="b"/><script path="/evil"/></interface>', '<interface/script>'],
  ['<interface type="user"><backend type="passt" logFile="/evil"/></interface>', '<interface/backend>'],
  ['<interface type="vhostuser"><source path="/evil"/></interface>', '<interface type="vhostuser">'],
  [
    '<interface type="direct"><source dev="evil" mode="passthrough"/></interface>',
    '<interface type="direct">',
  ],
  ['<hostdev mode="subsystem" type="pci"><source evil="/"/></hostdev>', '<hostdev>'],
  ['<filesystem type="mount"><binary path="/evil"/><source dir="/"/></filesystem>', '<filesystem>'],
  ...['serial', 'console', 'parallel'].flatMap((device) =>
    ['file', 'pipe', 'dev', 'unix', 'tcp'].map((type) => [
      `<${device} type="${type}"><source path="/evil"/></${device}>`,
      device === 'parallel' ? '<parallel>' : `<${device} type="${type}">`,
    ]),
  ),
  ['<serial type="pty"><source path="/evil"/></serial>', '<serial/source>'],
  ['<serial type="pty"><log file="/evil"/></serial>', '<serial/log>'],
  ['<channel type="file"><source path="/evil"/></channel>', '<channel type="file">'],
  ['<channel type="unix"><source mode="connect" path="/evil"/></channel>', '<channel/source>'],
  ['<memory model="nvdimm"><source><path>/evil</path></source></memory>', '<memory>'],
  ['<shmem name="evil"><server path="/evil"/></shmem>', '<shmem>'],
  ['<rng model="virtio"><backend model="random">/evil</backend></rng>', 'the text of <rng/backend>'],
  [
    '<rng model="virtio"><backend model="egd" type="unix"><source path="/evil"/></backend></rng>',
    'model="egd"',
  ],
  ['<tpm><backend type="passthrough"><device path="/evil"/></backend></tpm>', 'type="passthrough"'],
  [
    '<tpm><backend type="emulator"><source type="file" path="/evil"/></backend></tpm>',
    '<tpm/backend/source>',
  ],
  ['<graphics type="vnc" socket="/evil"/>', '<graphics socket="/evil">'],
  ['<graphics type="vnc" port="5900" listen="0.0.0.0"/>', '<graphics listen="0.0.0.0">'],
  ['<graphics type="vnc"><listen type="address" address="0.0.0.0"/></graphics>', 'address="0.0.0.0"'],
  ['<graphics type="spice"><gl rendernode="/evil"/></graphics>', '<graphics/gl>'],
  [
    '<video><model type="virtio"><acceleration rendernode="/evil"/></model></video>',
    '<video/model/acceleration>',
  ],
  ['<video><driver name="evil"/><model type="virtio"/></video>', '<video/driver>'],
  ['<audio id="1" type="file" path="/evil"/>', '<audio type="file">'],
  ['<input type="evdev"><source dev="/evil"/></input>', '<input type="evdev">'],
  ['<input type="passthrough"><source evdev="/evil"/></input>', '<input type="passthrough">'],
  ['<smartcard mode="host-certificates"><database>/evil</database></smartcard>', '<smartcard>'],
  ['<disk device="floppy"><source file="/evil"/><target dev="fda"/></disk>', 'the medium of fda'],
  ['<disk device="cdrom" type="block"><source dev="/evil"/><target dev="sda"/></disk>', 'the medium of sda'],
  ['<disk device="evil"><source file="/evil"/><target dev="sdb"/></disk>', '<disk device="evil">'],
  ['<constructor path="/evil"/><__proto__ path="/evil"/>', '<constructor>'],
])('a device may name nothing of the host: %s', (device, told) => {
  const { xml, left } = newDomainXml(domain(device), wanted);
  expect(xml).not.toMatch(
    /evil|0\.0\.0\.0|(?<!floppy" |cdrom" )type="(vhostuser|direct|file|pipe|dev|tcp|passthrough|egd)"/,
  );
  expect(left.join()).toContain(told);
  expect(newDomainXml(domain(device), { ...wanted, trust: true }).xml).toMatch(/evil|0\.0\.0\.0/);
});

test.each([
  ['<seclabel type="none"/>', '', '<seclabel>'],
  ['<seclabel type="static"><label>evil</label></seclabel>', '', '<seclabel>'],
  ['<metadata><a>evil</a></metadata>', '', '<metadata>'],
  ['<sysinfo type="fwcfg"><entry name="a" file="/evil"/></sysinfo>', '', '<sysinfo>'],
  ['<memoryBacking><source type="file"/></memoryBacking>', '', '<memoryBacking>'],
  ['<q:commandline xmlns:q="evil"><q:arg value="-x"/></q:commandline>', '', '<q:commandline>'],
  ['<launchSecurity type="sev"><session>evil</session></launchSecurity>', '', '<launchSecurity>'],
  ['', '<kernel>/evil</kernel>', '<os/kernel>'],
  ['', '<initrd>/evil</initrd>', '<os/initrd>'],
  ['', '<init>/evil</init>', '<os/init>'],
  ['', '<acpi><table type="slic">/evil</table></acpi>', '<os/acpi>'],
  ['', '<nvram template="/evil"/>', '<os/nvram>'],
  ['', '<loader type="rom">/evil</loader>', 'the text of <os/loader>'],
])('nor may the domain: %s%s', (more, os, told) => {
  const { xml, left } = newDomainXml(domain('', more, os), wanted);
  expect(xml).not.toMatch(/evil|seclabel|memoryBacking/);
  expect(left).toContain(told);
});

test('UEFI stays UEFI, of libvirt’s choice', () => {
  const loader = '<loader readonly="no" secure="yes" type="pflash">/evil.fd</loader>';
  const { xml } = newDomainXml(domain('', '', loader), wanted);
  expect(xml).toContain('<os firmware="efi"><type>hvm</type><loader secure="yes"/></os>');
});

test.each([
  "<domain type='lxc'><os><type>exe</type></os></domain>",
  "<domain type='kvm'><os><type>xen</type></os></domain>",
  '<domain/>',
])('what is no VM of QEMU’s is refused: %s', (xml) => {
  expect(refusal(() => newDomainXml(xml, wanted)).code).toBe('ERR_CBT_UNSUPPORTED');
});

test('what a plain VM needs stays', () => {
  const plain =
    '<domain type="kvm"><name>web</name><memory unit="KiB">1024</memory><vcpu placement="static">2</vcpu><os><type arch="x86_64" machine="q35">hvm</type><boot dev="hd"/></os><features><acpi/></features><cpu mode="host-model"><topology sockets="1" cores="2" threads="1"/></cpu><clock offset="utc"><timer name="rtc" tickpolicy="catchup"/></clock><on_crash>destroy</on_crash><devices><controller type="pci" index="1" model="pcie-root-port"><model name="pcie-root-port"/></controller><interface type="network"><source network="default"/><model type="virtio"/></interface><serial type="pty"><target type="isa-serial" port="0"><model name="isa-serial"/></target></serial><channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0"/></channel><input type="tablet" bus="usb"/><graphics type="vnc" port="-1" autoport="yes"><listen type="address"/></graphics><video><model type="virtio" heads="1"/></video><memballoon model="virtio"/><rng model="virtio"><backend model="random">/dev/urandom</backend></rng></devices></domain>';
  expect(newDomainXml(plain, wanted)).toMatchObject({ xml: `${plain}\n`, missing: [], left: [] });
});

const disk = (target: string, file: string): string =>
  `<disk type="file"><source file="${file}"/><target dev="${target}"/></disk>`;
const ran = (target: string, image: string | null) => ({ disk: target, image, file: `/new/${target}` });
const attached = (xml: string) => parseDomainXml('web', xml).disks.map(({ target, file }) => [target, file]);

test('each disk gets the file of its image, whatever its target was while it ran', () => {
  const xml = domain(disk('vda', '/a') + disk('vdb', '/b') + disk('vdc', '/link'));
  const swapped = [ran('vda', '/b'), ran('vdb', '/a'), ran('vdc', '/c'), ran('vdd', '/hot')];
  const realPath = (path: string): string => (path === '/link' ? '/c' : path);
  const made = newDomainXml(xml, { ...wanted, files: swapped, realPath });
  expect(attached(made.xml)).toEqual([
    ['vda', '/new/vdb'],
    ['vdb', '/new/vda'],
    ['vdc', '/new/vdc'],
  ]);
  expect(made.unused).toEqual([ran('vdd', '/hot')]);
  expect(imagesOf(xml)).toEqual(['/a', '/b', '/link']);
});

test('targets of one name over images of two are a doubt, unless the XML is trusted', () => {
  const xml = domain(disk('vda', '/next'));
  const how = { ...wanted, files: [ran('vda', '/now')] };
  expect(refusal(() => newDomainXml(xml, how))).toMatchObject({
    code: 'ERR_CBT_UNSUPPORTED',
    message: expect.stringContaining('vda was /now at the run, and is /next'),
  });
  expect(attached(newDomainXml(xml, { ...how, trust: true }).xml)).toEqual([['vda', '/new/vda']]);
  expect(attached(newDomainXml(xml, { ...how, files: [ran('vda', null)] }).xml)).toEqual([
    ['vda', '/new/vda'],
  ]);
});

test('keeps who the old one was where that is asked for', () => {
  const { xml } = newDomainXml(OLD, { name: 'web', files, format: 'raw', sameIdentity: true });
  expect(xml).toMatch(/aaaaaaaa.*bbbbbbbb.*type="raw".*52:54:00:11:22:33/s);
  expect(uuidIn(xml)).toBe(UUID);
});

test('is refused where its name or its UUID is there', () => {
  const there = [{ name: 'web', uuid: UUID }];
  const taken = (name: string, uuid: string | null) =>
    refusal(() => requireFree({ name, uuid }, there, 'qemu:'));
  expect(taken('web', null).message).toContain('has a domain web already');
  expect(taken('new', UUID).message).toContain(`of UUID ${UUID} already, web`);
  expect(() => requireFree({ name: 'new', uuid: null }, there, 'qemu:')).not.toThrow();
});

test.each(['', '<network/>', '<domain>', '<!DOCTYPE a><domain/>'])(
  'what is no domain is refused: %s',
  (xml) => {
    expect(refusal(() => newDomainXml(xml, wanted)).code).toBe('ERR_CBT_BACKEND_PROTOCOL');
  },
);
