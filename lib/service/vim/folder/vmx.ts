/** The files that describe a VM and its disks: the .vmx, as much of it as programs read, and the .vmdk of a disk whose bytes are in one flat file. */
import type { VirtualMachine } from '../../../facade/vsphere/index.js';
import { VirtualDisk } from '../../../facade/vsphere/index.js';

const SECTOR = 512;
/** As disks are described since there are large ones. */
const HEADS = 255;
const SECTORS = 63;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the line
const SPECIAL = /["|\x00-\x1f\x7f]/g;

/** A value in quotes; what would end it, or the line, is written by its number. */
function quoted(value: string | number | boolean): string {
  const text = typeof value === 'boolean' ? String(value).toUpperCase() : String(value);
  const number = (one: string): string => one.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase();
  return `"${text.replace(SPECIAL, (one) => `|${number(one)}`)}"`;
}

/** A UUID as pairs, as VMware writes it there. */
const pairs = (uuid: string): string =>
  uuid
    .replace(/-/g, '')
    .replace(/..(?=.)/g, '$& ')
    .replace(/^(.{23}) /, '$1-');

/** The configuration of a VM; `names` are those of its disks in the datastore, without an ending. */
export function vmxOf({ name, config }: VirtualMachine, names: ReadonlyMap<number, string>): string {
  const { numCPU = 1, memoryMB = 4, device } = config.hardware;
  const lines: [string, string | number | boolean][] = [
    ['.encoding', 'UTF-8'],
    ['config.version', 8],
    ['virtualHW.version', 13],
    ['displayName', name],
    ['uuid.bios', pairs(config.uuid)],
    ['memsize', memoryMB],
    ['numvcpus', numCPU],
    ['guestOS', 'other-64'],
  ];
  for (const controller of device.filter(({ _type }) => _type === 'ParaVirtualSCSIController')) {
    const bus = (controller as unknown as { busNumber: number }).busNumber;
    lines.push([`scsi${bus}.present`, true], [`scsi${bus}.virtualDev`, 'pvscsi']);
    for (const disk of device) {
      if (!(disk instanceof VirtualDisk) || disk.controllerKey !== controller.key) continue;
      const at = `scsi${bus}:${disk.unitNumber}`;
      const file = `${(names.get(disk.key) ?? '').replace(/^.*\//, '')}.vmdk`;
      lines.push([`${at}.present`, true], [`${at}.deviceType`, 'scsi-hardDisk'], [`${at}.fileName`, file]);
    }
  }
  return lines.map(([key, value]) => `${key} = ${quoted(value)}\n`).join('');
}

/** The descriptor of a disk; `file` is the name of the one with its bytes. */
export function descriptorOf(file: string, sizeBytes: number, uuid: string): string {
  const sectors = Math.ceil(sizeBytes / SECTOR);
  return `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=fffffffe
parentCID=ffffffff
createType="vmfs"

# Extent description
RW ${sectors} VMFS "${file}"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "${Math.min(65_535, Math.floor(sectors / (HEADS * SECTORS)))}"
ddb.geometry.heads = "${HEADS}"
ddb.geometry.sectors = "${SECTORS}"
ddb.thinProvisioned = "1"
ddb.uuid = "${pairs(uuid)}"
ddb.virtualHWVersion = "13"
`;
}
