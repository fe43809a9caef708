/**
 * DiskDescriptor.xml of a .hdd folder: the disk's size, its image files and how they stack
 * (docs/interop/prl-xml.rst of QEMU; the root element is Parallels_disk_image, in Virtuozzo's own schema
 * Virtuozzo_disk_image). One storage is read; a disk split into several is refused by name.
 */

import { parseUuid } from '../../../core/pointInTime.js';
import { MAX_DISK_BYTES } from '../../../core/rangePage.js';
import { corrupt, faultError, unsupported } from '../faults.js';
import { childrenOf, findChild, parseXml, requireChild, type XmlElement } from './descriptorXml.js';
import { SECTOR_BYTES } from './header.js';

/** A descriptor of the deepest stack is some 100 KiB. */
export const MAX_DESCRIPTOR_BYTES = 2 ** 20;

const ROOTS = ['Parallels_disk_image', 'Virtuozzo_disk_image'];
const VERSION = '1.0';
const MAX_DISK_SECTORS = Math.floor(MAX_DISK_BYTES / SECTOR_BYTES);

/** Parent of the root image. */
export const NO_PARENT = '00000000-0000-0000-0000-000000000000';
/** The top image's GUID where the descriptor does not name one. */
const DEFAULT_TOP = '5fbaabe3-6958-40ff-92a7-860e329aab41';

export interface DescriptorImage {
  guid: string;
  /** `Plain`: raw. `Compressed`: expandable. */
  type: 'Plain' | 'Compressed';
  /** As the descriptor spells it. */
  file: string;
}

export interface DiskDescriptor {
  diskSectors: number;
  /** Sectors in a cluster of every expandable image; null where the descriptor does not say. */
  clusterSectors: number | null;
  images: readonly DescriptorImage[];
  /** Parent GUID of each image's GUID, {@link NO_PARENT} for the root. */
  parents: ReadonlyMap<string, string>;
  topGuid: string;
}

export function parseDescriptor(where: string, bytes: Buffer): DiskDescriptor {
  const root = parseXml(where, bytes);
  if (!ROOTS.includes(root.name)) {
    throw faultError(where, corrupt('root element', JSON.stringify(root.name), ROOTS.join(' or ')));
  }
  const version = root.attributes['Version'] ?? VERSION;
  if (version !== VERSION) throw faultError(where, unsupported('Version', JSON.stringify(version), VERSION));

  const parameters = requireChild(where, root, 'Disk_Parameters');
  const diskSectors = readNumber(where, requireChild(where, parameters, 'Disk_size'), MAX_DISK_SECTORS);
  const padding = readOptional(where, parameters, 'Padding');
  if (padding !== null && padding !== 0) throw faultError(where, unsupported('Padding', padding, 0));

  const storage = readStorage(where, requireChild(where, root, 'StorageData'), diskSectors);
  const images = childrenOf(storage, 'Image').map((image) => readImage(where, image));
  const snapshots = findChild(where, root, 'Snapshots');
  const descriptor = {
    diskSectors,
    clusterSectors: readOptional(where, storage, 'Blocksize') ?? readOptional(where, storage, 'BlockSize'),
    images,
    parents: readParents(where, snapshots),
  };
  return { ...descriptor, topGuid: readTopGuid(where, snapshots, descriptor) };
}

/** The one storage. A volume whose stack goes on in another descriptor, and a split disk, are limits of ours. */
function readStorage(where: string, data: XmlElement, diskSectors: number): XmlElement {
  const volume = findChild(where, data, 'Volume');
  if (volume !== null && findChild(where, volume, 'Parent') !== null) {
    throw faultError(
      where,
      unsupported('Volume/Parent', 'present', 'absent: images of another descriptor are not followed'),
    );
  }
  const storages = childrenOf(data, 'Storage');
  const [storage] = storages;
  if (storage === undefined || storages.length > 1) {
    throw faultError(
      where,
      unsupported('count of StorageData/Storage', storages.length, '1: split disks are not read'),
    );
  }
  const start = readOptional(where, storage, 'Start') ?? 0;
  if (start !== 0)
    throw faultError(where, unsupported('Storage/Start', start, '0: split disks are not read'));
  const end = readOptional(where, storage, 'End') ?? diskSectors;
  if (end !== diskSectors) throw faultError(where, corrupt('Storage/End', end, `Disk_size, ${diskSectors}`));
  return storage;
}

function readImage(where: string, image: XmlElement): DescriptorImage {
  const type = requireChild(where, image, 'Type').text;
  if (type !== 'Plain' && type !== 'Compressed') {
    throw faultError(where, unsupported('Image/Type', JSON.stringify(type), 'Plain or Compressed'));
  }
  const file = requireChild(where, image, 'File').text;
  if (file === '' || file.includes('\0')) {
    throw faultError(where, corrupt('Image/File', JSON.stringify(file), 'the name of a file'));
  }
  const guid = readGuid(where, 'Image/GUID', requireChild(where, image, 'GUID').text);
  if (guid === NO_PARENT) throw faultError(where, corrupt('Image/GUID', guid, 'other than the null GUID'));
  return { guid, type, file };
}

function readParents(where: string, snapshots: XmlElement | null): Map<string, string> {
  const parents = new Map<string, string>();
  for (const shot of snapshots === null ? [] : childrenOf(snapshots, 'Shot')) {
    const guid = readGuid(where, 'Shot/GUID', requireChild(where, shot, 'GUID').text);
    const parent = readGuid(where, 'Shot/ParentGUID', requireChild(where, shot, 'ParentGUID').text);
    if (parents.has(guid))
      throw faultError(where, corrupt('Shot/GUID', guid, 'unlike that of every other Shot'));
    parents.set(guid, parent);
  }
  return parents;
}

/** With a single image and no Shot there is nothing to stack, whatever the image's GUID. */
function readTopGuid(
  where: string,
  snapshots: XmlElement | null,
  { images, parents }: Pick<DiskDescriptor, 'images' | 'parents'>,
): string {
  const named = snapshots === null ? null : findChild(where, snapshots, 'TopGUID');
  if (named !== null) return readGuid(where, 'TopGUID', named.text);
  const [only, another] = images;
  return parents.size === 0 && only !== undefined && another === undefined ? only.guid : DEFAULT_TOP;
}

/** Lower case without braces; {@link NO_PARENT} is one too. */
function readGuid(where: string, field: string, text: string): string {
  if (text.replace(/^\{(.*)\}$/s, '$1') === NO_PARENT) return NO_PARENT;
  const guid = parseUuid(text);
  if (guid === null)
    throw faultError(where, corrupt(field, JSON.stringify(text.slice(0, 80)), 'a GUID in braces'));
  return guid;
}

function readOptional(where: string, parent: XmlElement, name: string): number | null {
  const child = findChild(where, parent, name);
  return child === null ? null : readNumber(where, child, MAX_DISK_SECTORS);
}

function readNumber(where: string, element: XmlElement, most: number): number {
  const value = /^\d{1,20}$/.test(element.text) ? Number(element.text) : Number.NaN;
  if (value <= most) return value;
  const shown = Number.isNaN(value) ? JSON.stringify(element.text.slice(0, 80)) : element.text;
  throw faultError(where, unsupported(element.name, shown, `a decimal number from 0 to ${most}`));
}
