/** Names of domains and of their disks: `libvirt:<uri>#<domain>` and `libvirt:<uri>#<domain>#<disk>`. */
import { invalidArgument } from '../../core/errors.js';
import { defaultUri } from './libvirtUri.js';

export const LIBVIRT_PREFIX = 'libvirt:';

/** What such a name says; what it leaves out is empty. */
export interface DomainName {
  /** Never empty: without one it is the default. */
  uri: string;
  /** Name or UUID. */
  domain: string;
  disk: string;
}

const FORM =
  'libvirt:<uri>#<domain>, and #<disk> behind it for a disk; libvirt:#<domain> for the default URI';

/** Takes a name apart at its first two #, which no URI has. A domain that has one in its name is named by its UUID. */
export function parseDomainName(name: string): DomainName {
  if (!name.startsWith(LIBVIRT_PREFIX)) throw invalidArgument('name', name, FORM);
  const [uri = '', domain = '', ...rest] = name.slice(LIBVIRT_PREFIX.length).split('#');
  return { uri: uri === '' ? defaultUri() : uri, domain, disk: rest.join('#') };
}

/** Of a VM: a domain, and no disk. */
export function parseDomainAddress(address: string): { uri: string; domain: string } {
  const { uri, domain, disk } = parseDomainName(address);
  if (domain === '' || disk !== '') throw invalidArgument('domain', address, 'libvirt:<uri>#<domain>');
  return { uri, domain };
}

export function formatDomainAddress(uri: string, domain: string): string {
  return `${LIBVIRT_PREFIX}${uri}#${domain}`;
}
