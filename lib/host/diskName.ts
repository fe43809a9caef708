/** What a name of a disk, or of a VM, may be: the one place that takes such names apart. */
import {
  type DomainName,
  formatDomainAddress,
  LIBVIRT_PREFIX,
  parseDomainName,
} from '../backend/libvirt/domainName.js';
import { CbtError, invalidArgument } from '../core/errors.js';

/** A name as it is written; whether a plain one is a VM's or a file's only the host file tells. */
export type ParsedName =
  | { kind: 'path'; path: string }
  | { kind: 'qmp'; socket: string; disk: string }
  | ({ kind: 'libvirt' } & DomainName)
  /** `<vm>#<disk>`, or of a VM `<vm>`; it may be a file here all the same. */
  | { kind: 'vm'; vm: string; disk: string };

const FORMS =
  'a path (./ goes before one that looks like another form), qmp:<socket>#<disk>, libvirt:<uri>#<domain>#<disk>, or <vm>#<disk> of the host file';

/** A disk's name. What no version serves yet is refused, so that it is never taken for a file. */
export function parseDiskName(name: string): ParsedName {
  if (typeof name !== 'string' || name === '' || /[\0\p{Cs}]/u.test(name))
    throw invalidArgument('disk', name, 'the path of an image');
  if (name.startsWith('qmp:')) return { kind: 'qmp', ...parseQmpName(name) };
  if (name.startsWith(LIBVIRT_PREFIX)) return parseLibvirtName(name);
  refuseUnserved('disk', name);
  const at = name.indexOf('#');
  const vm = at < 0 ? '' : name.slice(0, at);
  if (vm === '' || vm.includes('/')) return { kind: 'path', path: name };
  const disk = name.slice(at + 1);
  if (disk === '') throw invalidArgument('disk', name, FORMS);
  return { kind: 'vm', vm, disk };
}

/** A VM's name, as `--vm` takes it: the path of a QMP socket, `qmp:<socket>`, `libvirt:<uri>#<domain>`, or a name or UUID of the host file. */
export function parseVmName(name: string): ParsedName {
  if (typeof name !== 'string' || name === '' || /[\0\p{Cs}]/u.test(name))
    throw invalidArgument('vm', name, 'the path of a QMP socket');
  if (name.startsWith('qmp:')) {
    const { socket, disk } = parseQmpName(name);
    if (disk === '') return { kind: 'qmp', socket, disk };
    throw invalidArgument('vm', name, 'qmp:<socket> without a disk');
  }
  if (name.startsWith(LIBVIRT_PREFIX)) {
    const parsed = parseLibvirtName(name);
    if (parsed.disk === '') return parsed;
    throw invalidArgument('vm', name, 'libvirt:<uri>#<domain> without a disk');
  }
  refuseUnserved('vm', name);
  return name.includes('/') ? { kind: 'path', path: name } : { kind: 'vm', vm: name, disk: '' };
}

/** By what the VM of such a name is reached, and the disk, empty where none is named: `qmp:…` or `libvirt:…`. */
export function parseAddress(name: string): { address: string; disk: string } {
  if (name.startsWith(LIBVIRT_PREFIX)) {
    const { uri, domain, disk } = parseLibvirtName(name);
    return { address: formatDomainAddress(uri, domain), disk };
  }
  const { socket, disk } = parseQmpName(name);
  return { address: socket, disk };
}

export { defaultUri } from '../backend/libvirt/libvirtUri.js';

/** The URI of `libvirt:<uri>`, which names no domain; null for any other name. */
export function parseLibvirtItself(name: string): string | null {
  if (!name.startsWith(LIBVIRT_PREFIX)) return null;
  const { uri, domain, disk } = parseDomainName(name);
  return domain === '' && disk === '' ? uri : null;
}

function parseLibvirtName(name: string): { kind: 'libvirt' } & DomainName {
  const parsed = parseDomainName(name);
  if (parsed.domain === '') throw invalidArgument('name', name, 'libvirt:<uri>#<domain>');
  return { kind: 'libvirt', ...parsed };
}

/** The socket and the disk of `qmp:<socket>#<disk>`; the disk is empty where none is named. */
export function parseQmpName(name: string): { socket: string; disk: string } {
  const at = name.indexOf('#');
  const socket = name.slice('qmp:'.length, at === -1 ? undefined : at);
  if (!name.startsWith('qmp:') || socket === '') {
    throw invalidArgument('disk', name, 'qmp:<QMP socket>#<disk>');
  }
  return { socket, disk: at === -1 ? '' : name.slice(at + 1) };
}

/** `ERR_CBT_UNSUPPORTED`, as of everything that a host file may say and this version does not do. */
export function notServed(what: string): CbtError {
  return new CbtError('ERR_CBT_UNSUPPORTED', `${what} is not served by this version`, { details: { what } });
}

export function refuseUnserved(argument: string, name: string): void {
  if (/^rbd:/.test(name)) throw notServed(`${argument} ${name}`);
}
