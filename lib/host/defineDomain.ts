/** A domain of libvirt made from what a backup kept of another one, over restored files. */
import { parseDomainAddress } from '../backend/libvirt/domainName.js';
import { Libvirt } from '../backend/libvirt/libvirt.js';
import { parseLibvirtUri } from '../backend/libvirt/libvirtUri.js';
import {
  type Defined,
  imagesOf,
  type NewDomain,
  newDomainXml,
  requireFree,
  uuidIn,
} from '../backend/libvirt/newDomain.js';
import { realPathAsText } from '../linux/textPath.js';
import type { WaitOptions } from '../linux/waiting.js';

export { whatIsNotInABackup } from '../backend/libvirt/newDomain.js';

/** Of which run, over which files; `name` and links are found here. */
export type WantedDomain = Omit<NewDomain, 'name' | 'realPath'>;

/**
 * `to`: `libvirt:<uri>#<name>`. Returns what the new domain, which is off, lacks, in words. A domain of that name, or with the UUID that
 * it is to keep, is `ERR_CBT_INVALID_ARGUMENT`; what libvirt refuses, its own error.
 */
export async function defineDomain(
  to: string,
  definition: string,
  wanted: WantedDomain,
  options: WaitOptions = {},
): Promise<Omit<Defined, 'xml'>> {
  return withNewDomain({ to, definition, wanted }, options, async (libvirt, { xml, ...lacks }) => {
    await libvirt.define(xml, options);
    return lacks;
  });
}

/** Throws what {@link defineDomain} would, as far as that is known before anything is restored; what is in `file` does not matter yet. */
export async function requireNewDomain(
  to: string,
  definition: string,
  wanted: WantedDomain,
  options: WaitOptions = {},
): Promise<void> {
  await withNewDomain({ to, definition, wanted }, options, async () => undefined);
}

async function withNewDomain<T>(
  { to, definition, wanted }: { to: string; definition: string; wanted: WantedDomain },
  options: WaitOptions,
  work: (libvirt: Libvirt, defined: Defined) => Promise<T>,
): Promise<T> {
  const { uri, domain: name } = parseDomainAddress(to);
  const links = new Map<string, string>();
  for (const path of imagesOf(definition)) links.set(path, await realPathAsText(path).catch(() => path));
  const realPath = (path: string): string => links.get(path) ?? path;
  const defined = newDomainXml(definition, { ...wanted, name, realPath });
  await using libvirt = await Libvirt.connect(parseLibvirtUri(uri), options);
  // Just before: libvirt makes a domain of the same name and UUID anew.
  requireFree({ name, uuid: uuidIn(defined.xml) }, await libvirt.domains(options), libvirt.uri.uri);
  return await work(libvirt, defined);
}
