/** From a domain's address to the domain. */
import type { WaitOptions } from '../../linux/waiting.js';
import { formatDomainAddress, parseDomainAddress } from './domainName.js';
import { type DomainRef, Libvirt, type LibvirtOptions } from './libvirt.js';
import { parseLibvirtUri } from './libvirtUri.js';

/** A domain with a connection of its own. */
export interface FoundDomain {
  libvirt: Libvirt;
  domain: DomainRef;
  /** By its UUID: the same whatever it is called, and what records keep. */
  address: string;
}

/** Looks the domain up; the connection is the caller's to close. */
export async function findDomain(address: string, options: LibvirtOptions = {}): Promise<FoundDomain> {
  const { uri, domain: name } = parseDomainAddress(address);
  const libvirt = await Libvirt.connect(parseLibvirtUri(uri), options);
  try {
    const domain = await libvirt.domain(name, options);
    return { libvirt, domain, address: formatDomainAddress(libvirt.uri.uri, domain.uuid) };
  } catch (error) {
    await libvirt.close();
    throw error;
  }
}

/** Runs it with the domain, and closes the connection. */
export async function onDomain<T>(
  address: string,
  options: WaitOptions,
  work: (found: FoundDomain) => Promise<T>,
): Promise<T> {
  const found = await findDomain(address, options);
  try {
    return await work(found);
  } finally {
    await found.libvirt.close();
  }
}
