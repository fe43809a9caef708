/** A domain of libvirt made from what a backup kept of another one, over restored files. */
import { parseDomainAddress } from '../backend/libvirt/domainName.js';
import { Libvirt } from '../backend/libvirt/libvirt.js';
import { parseLibvirtUri } from '../backend/libvirt/libvirtUri.js';
import { type NewDomain, nameIsTaken, newDomainXml } from '../backend/libvirt/newDomain.js';
import type { WaitOptions } from '../linux/waiting.js';

export { whatIsNotInABackup } from '../backend/libvirt/newDomain.js';

/**
 * `to`: `libvirt:<uri>#<name>`. Returns what the new domain, which is off, lacks, in words. A domain of that name is
 * `ERR_CBT_INVALID_ARGUMENT`; what libvirt refuses, its own error.
 */
export async function defineDomain(
  to: string,
  definition: string,
  files: Omit<NewDomain, 'name'>,
  options: WaitOptions = {},
): Promise<string[]> {
  const { xml, missing } = newDomainXml(definition, { ...files, name: parseDomainAddress(to).domain });
  await using libvirt = await Libvirt.connect(parseLibvirtUri(parseDomainAddress(to).uri), options);
  await libvirt.define(xml, options);
  return missing;
}

/** Throws where a domain of that name is there: before anything is restored. */
export async function requireNewDomain(to: string, options: WaitOptions = {}): Promise<void> {
  const { uri, domain } = parseDomainAddress(to);
  await using libvirt = await Libvirt.connect(parseLibvirtUri(uri), options);
  const names = (await libvirt.domains(options)).map(({ name }) => name);
  if (names.includes(domain)) throw nameIsTaken(domain, libvirt.uri.uri);
}
