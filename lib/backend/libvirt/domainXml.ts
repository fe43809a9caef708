/** What a domain's XML says that we go by: its disks as their owner knows them, whose QEMU is, and what confines it. */
import { CbtError } from '../../core/errors.js';
import { parseXml, type XmlElement } from '../image/parallels/descriptorXml.js';
import { breach } from './rpc/xdr.js';

/** A disk of a domain. */
export interface DomainDisk {
  /** How its owner knows it, such as 'vda'; no two disks of a domain have one name. */
  target: string;
  /** Id of QEMU's device; null while the domain is off. */
  alias: string | null;
  /** 'disk', 'lun', 'cdrom' or 'floppy'. */
  device: string;
  /** 'file', 'block', 'network', 'volume', … */
  type: string;
  /** Path of the image; null where it has none on this machine. */
  file: string | null;
  /** Format as its owner says it. */
  format: string | null;
}

/** What a domain's XML says. */
export interface DomainDescription {
  disks: readonly DomainDisk[];
  /** With which QEMU opens files; null while the domain is off, and where libvirt does not say. */
  owner: { uid: number; gid: number } | null;
  /** What keeps QEMU from files that are not its own, such as 'apparmor'; null where nothing does. */
  confinedBy: string | null;
}

/** Each layer below a disk nests one deeper. */
const MAX_DEPTH = 512;
const MAX_DISKS = 4096;

/** Reads the XML of a domain; `name` is for messages. */
export function parseDomainXml(name: string, xml: string): DomainDescription {
  const domain = parsedDomain(name, xml);
  const disks = children(child(domain, 'devices'), 'disk').map((disk) => readDisk(name, disk));
  if (disks.length > MAX_DISKS) throw breach(`domain ${name} has ${disks.length} disks, past ${MAX_DISKS}`);
  const seen = new Set<string>();
  for (const { target } of disks) {
    if (seen.has(target)) throw breach(`domain ${name} has two disks ${target}`);
    seen.add(target);
  }
  return { disks, ...readLabels(children(domain, 'seclabel')) };
}

/** The domain's element. */
export function parsedDomain(name: string, xml: string): XmlElement {
  const root = parsed(name, xml);
  if (root.name !== 'domain') throw breach(`the XML of domain ${name} is one of <${root.name}>`);
  return root;
}

/** What the XML of a checkpoint says of it. */
export function checkpointOf(
  name: string,
  xml: string,
): { name: string; parent: string | null; takenAt: string | null } {
  const root = parsed(name, xml);
  if (root.name !== 'domaincheckpoint')
    throw breach(`the XML of checkpoint ${name} is one of <${root.name}>`);
  const seconds = child(root, 'creationTime')?.text ?? '';
  return {
    name,
    parent: child(child(root, 'parent'), 'name')?.text ?? null,
    takenAt: /^\d{1,11}$/.test(seconds) ? new Date(Number(seconds) * 1000).toISOString() : null,
  };
}

function parsed(name: string, xml: string): XmlElement {
  try {
    return parseXml(`the XML of domain ${name}`, Buffer.from(xml, 'utf8'), MAX_DEPTH);
  } catch (error) {
    throw error instanceof CbtError ? breach(error.message, error) : error;
  }
}

function readDisk(name: string, disk: XmlElement): DomainDisk {
  const source = child(disk, 'source')?.attributes ?? {};
  const target = child(disk, 'target')?.attributes['dev'];
  if (target === undefined || target === '') throw breach(`domain ${name} has a disk without a target`);
  const { type = 'file', device = 'disk' } = disk.attributes;
  const path = { file: source['file'], block: source['dev'] }[type];
  return {
    target,
    alias: child(disk, 'alias')?.attributes['name'] ?? null,
    device,
    type,
    file: path?.startsWith('/') ? path : null,
    format: child(disk, 'driver')?.attributes['type'] ?? null,
  };
}

function readLabels(labels: readonly XmlElement[]): Pick<DomainDescription, 'owner' | 'confinedBy'> {
  const active = labels.filter(({ attributes }) => attributes['type'] !== 'none');
  const model = (label: XmlElement): string => label.attributes['model'] ?? '';
  const dac = active.find((label) => model(label) === 'dac');
  const [, uid, gid] = /^\+(\d{1,10}):\+(\d{1,10})$/.exec((dac && child(dac, 'label')?.text) ?? '') ?? [];
  const confining = active.find(
    (label) => ['apparmor', 'selinux'].includes(model(label)) && child(label, 'label'),
  );
  return {
    owner: uid === undefined ? null : { uid: Number(uid), gid: Number(gid) },
    confinedBy: confining === undefined ? null : model(confining),
  };
}

export function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((one) => one.name === name);
}

export function children(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((one) => one.name === name) ?? [];
}
