/** The XML of a new domain, made from that of another one as a backup kept it: what is the other one's alone does not go along. */
import { CbtError } from '../../core/errors.js';
import { escapeXml } from '../../core/escapeXml.js';
import type { XmlElement } from '../image/parallels/descriptorXml.js';
import { child, children, parsedDomain } from './domainXml.js';

export interface NewDomain {
  name: string;
  /** Its disks' files, by their targets. */
  files: ReadonlyMap<string, string>;
  /** Of the files. */
  format: 'qcow2' | 'raw';
  /** UUID, MAC addresses and generation id stay those of the old one, which must not be there any more. */
  sameIdentity?: boolean | undefined;
}

/** The XML, and what the new domain lacks, in words. */
export interface Defined {
  xml: string;
  missing: string[];
}

/** Throws `ERR_CBT_BACKEND_PROTOCOL` where the XML is no domain's. */
export function newDomainXml(xml: string, wanted: NewDomain): Defined {
  const root = parsedDomain('of the backup', xml);
  const missing: string[] = notInABackup(root);
  const keep = wanted.sameIdentity === true;
  const edit = (element: XmlElement, path: string): XmlElement[] => {
    if (path === '/name') return [{ ...element, text: wanted.name }];
    if (!keep && (path === '/uuid' || path === '/devices/interface/mac')) return [];
    if (!keep && path === '/genid') return [{ ...element, text: '' }];
    // Two domains with one file of variables would write over each other's.
    if (path === '/os/nvram') return [{ ...element, text: '', children: [] }];
    if (path === '/devices/disk') return disk(element, wanted, missing);
    return [
      { ...element, children: element.children.flatMap((below) => edit(below, `${path}/${below.name}`)) },
    ];
  };
  const [domain = root] = edit(root, '');
  return { xml: `${write(domain)}\n`, missing };
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

/** None where the backup has no such disk; drives of media stay as they are. */
function disk(element: XmlElement, { files, format }: NewDomain, missing: string[]): XmlElement[] {
  const { device = 'disk' } = element.attributes;
  if (device !== 'disk' && device !== 'lun') return [element];
  const target = child(element, 'target')?.attributes['dev'] ?? '';
  const file = files.get(target);
  if (file === undefined) {
    missing.push(`disk ${target}, which the run does not have`);
    return [];
  }
  const driver = child(element, 'driver')?.attributes ?? { name: 'qemu' };
  const [named, said] = [{ file }, { ...driver, type: format }];
  const rest = element.children.filter(
    ({ name }) => !['driver', 'source', 'backingStore', 'mirror', 'encryption', 'auth'].includes(name),
  );
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

/** Where libvirt has a domain of this name already, and says it. */
export function nameIsTaken(name: string, uri: string): CbtError {
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', `${uri} has a domain ${name} already: name another one`, {
    details: { name, uri },
  });
}
