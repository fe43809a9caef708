/** The XML of a new domain, made from that of another one as a backup kept it: what is the other one's alone, or a path or program of the host, does not go along. */
import { CbtError } from '../../core/errors.js';
import { escapeXml } from '../../core/escapeXml.js';
import { parseUuid } from '../../core/pointInTime.js';
import type { XmlElement } from '../image/parallels/descriptorXml.js';
import { child, children, parsedDomain } from './domainXml.js';
import { plainDomain } from './plainDomain.js';

/** A disk of the run. */
export interface RestoredFile {
  /** Its target at the run. */
  disk: string;
  /** Path of its image at the run, without links; null where that was no file of its machine. */
  image: string | null;
  /** Where it is now. */
  file: string;
}

export interface NewDomain {
  name: string;
  files: readonly RestoredFile[];
  /** Of the files. */
  format: 'qcow2' | 'raw';
  /** UUID, MAC addresses and generation id stay those of the old one, which must not be there any more. */
  sameIdentity?: boolean | undefined;
  /** The XML is kept with all that it has, and disks go by their targets where images say otherwise. */
  trust?: boolean | undefined;
  /** A path of the XML without links, where they are still there; as it is unless given. */
  realPath?: ((path: string) => string) | undefined;
}

/** The XML, and in words what the new domain lacks. */
export interface Defined {
  xml: string;
  /** What no backup of disks has, and disks that the run does not have. */
  missing: string[];
  /** What the XML has beyond a plain VM, by name. */
  left: string[];
  /** Restored files that no disk of the XML is. */
  unused: RestoredFile[];
}

/** Throws `ERR_CBT_BACKEND_PROTOCOL` where the XML is no domain's, `ERR_CBT_UNSUPPORTED` where it does not fit the run. */
export function newDomainXml(xml: string, wanted: NewDomain): Defined {
  const root = parsedDomain('of the backup', xml);
  const missing: string[] = notInABackup(root);
  const { plain, left } = wanted.trust === true ? { plain: root, left: [] } : plainDomain(root);
  const found = filesOfDisks(children(child(root, 'devices'), 'disk').filter(isDisk), wanted);
  const keep = wanted.sameIdentity === true;
  const edit = (element: XmlElement, path: string): XmlElement[] => {
    if (path === '/name') return [{ ...element, text: wanted.name }];
    if (!keep && (path === '/uuid' || path === '/devices/interface/mac')) return [];
    if (!keep && path === '/genid') return [{ ...element, text: '' }];
    // Two domains with one file of variables would write over each other's.
    if (path === '/os/nvram') return [{ ...element, text: '', children: [] }];
    if (path === '/devices/disk' && !isDisk(element))
      return [wanted.trust === true ? element : emptyDrive(element, left)];
    if (path === '/devices/disk') return disk(element, found.get(targetOf(element)), wanted, missing);
    return [
      { ...element, children: element.children.flatMap((below) => edit(below, `${path}/${below.name}`)) },
    ];
  };
  const [domain = plain] = edit(plain, '');
  const used = new Set(found.values());
  return { xml: `${write(domain)}\n`, missing, left, unused: wanted.files.filter((one) => !used.has(one)) };
}

/**
 * Which file each target gets. By the image first: the XML is that of the next start, in which a disk that was plugged in may be missing or
 * another one may have its target.
 */
function filesOfDisks(
  disks: readonly XmlElement[],
  { files, trust = false, realPath = (path) => path }: NewDomain,
): Map<string, RestoredFile> {
  const found = new Map<string, RestoredFile>();
  const free = new Set(files);
  const take = (target: string, file: RestoredFile | undefined): void => {
    if (file === undefined) return;
    found.set(target, file);
    free.delete(file);
  };
  for (const one of disks) {
    const path = pathOf(one);
    const paths = [path, path === null ? null : realPath(path)];
    take(
      targetOf(one),
      [...free].find(({ image }) => image !== null && paths.includes(image)),
    );
  }
  for (const one of disks.filter((disk) => !found.has(targetOf(disk)))) {
    const target = targetOf(one);
    const file = [...free].find(({ disk }) => disk === target);
    // Names of device nodes change from one start of a machine to the next.
    const says = one.attributes['type'] === 'block' ? null : pathOf(one);
    if (file !== undefined && file.image !== null && says !== null && !trust)
      throw new CbtError(
        'ERR_CBT_UNSUPPORTED',
        `disk ${target} was ${file.image} at the run, and is ${says} in the XML that the run kept, which is of the domain’s next start: whether they are one disk is not known. Restore without --define, or with --trust, by which disks go by their targets`,
        { details: { disk: target, image: file.image, file: says } },
      );
    take(target, file);
  }
  return found;
}

/** Paths of the images in the XML. */
export function imagesOf(xml: string): string[] {
  const devices = child(parsedDomain('of the backup', xml), 'devices');
  return children(devices, 'disk').flatMap((one) => pathOf(one) ?? []);
}

const isDisk = ({ attributes: { device = 'disk' } }: XmlElement): boolean =>
  device === 'disk' || device === 'lun';
const targetOf = (disk: XmlElement): string => child(disk, 'target')?.attributes['dev'] ?? '';

function pathOf(disk: XmlElement): string | null {
  const { file, dev } = child(disk, 'source')?.attributes ?? {};
  const path = file ?? dev;
  return path?.startsWith('/') === true ? path : null;
}

/** What belongs to a domain and is in no backup of its disks. */
export function notInABackup(root: XmlElement): string[] {
  const found: string[] = [];
  const nvram = child(child(root, 'os'), 'nvram');
  if (nvram !== undefined)
    found.push(`the firmware’s variables (NVRAM${nvram.text === '' ? '' : ` ${nvram.text}`})`);
  if (children(child(root, 'devices'), 'tpm').length > 0) found.push('the state of its TPM');
  return found;
}

export function whatIsNotInABackup(xml: string): string[] {
  return notInABackup(parsedDomain('of the backup', xml));
}

/** A medium is a file of the host that the new domain, or a guest, could write to. */
function emptyDrive(element: XmlElement, left: string[]): XmlElement {
  if (child(element, 'source') !== undefined) left.push(`the medium of ${targetOf(element)}`);
  return { ...element, attributes: { ...element.attributes, type: 'file' }, children: withoutImage(element) };
}

const IMAGE = ['driver', 'source', 'backingStore', 'mirror', 'encryption', 'auth'];
const withoutImage = ({ children: all }: XmlElement): XmlElement[] =>
  all.filter(({ name }) => !IMAGE.includes(name));

/** None where the backup has no such disk. */
function disk(
  element: XmlElement,
  found: RestoredFile | undefined,
  { format }: NewDomain,
  missing: string[],
): XmlElement[] {
  if (found === undefined) {
    missing.push(`disk ${targetOf(element)}, which the run does not have`);
    return [];
  }
  const { file } = found;
  const driver = child(element, 'driver')?.attributes ?? { name: 'qemu' };
  const [named, said] = [{ file }, { ...driver, type: format }];
  const rest = withoutImage(element);
  const made = (name: string, attributes: XmlElement['attributes']): XmlElement => ({
    name,
    attributes,
    children: [],
    text: '',
  });
  const attributes = { ...element.attributes, type: 'file', device: 'disk' };
  return [{ ...element, attributes, children: [made('driver', said), made('source', named), ...rest] }];
}

function write({ name, attributes, children: below, text }: XmlElement): string {
  const said = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeXml(value)}"`);
  const content = escapeXml(text) + below.map(write).join('');
  return `<${name}${said.join('')}${content === '' ? '/>' : `>${content}</${name}>`}`;
}

/** Throws where one of these domains has the name, or the UUID that the new one is to have (null where libvirt draws it). */
export function requireFree(
  { name, uuid }: { name: string; uuid: string | null },
  domains: readonly { name: string; uuid: string }[],
  uri: string,
): void {
  const details = { name, uri };
  if (domains.some((one) => one.name === name))
    throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${uri} has a domain ${name} already: name another one`, {
      details,
    });
  const same = domains.find((one) => one.uuid === uuid);
  if (same !== undefined)
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `${uri} has a domain of UUID ${uuid} already, ${same.name}: the new one can have its identity only when that is gone`,
      { details },
    );
}

/** The UUID that it asks for; null where libvirt draws one. */
export function uuidIn(xml: string): string | null {
  return parseUuid(child(parsedDomain('of the backup', xml), 'uuid')?.text ?? '');
}
