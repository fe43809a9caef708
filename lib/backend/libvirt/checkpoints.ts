/** libvirt's checkpoints of a domain: each is a bitmap of its name on each of the domain's disks, and what libvirt remembers of it. */
import type { WaitOptions } from '../../linux/waiting.js';
import { checkpointOf } from './domainXml.js';
import type { DomainRef, Libvirt } from './libvirt.js';
import { LibvirtError, VIR_ERR } from './rpc/libvirtError.js';

/** What a libvirt from before 5.6 answers. */
const NONE_KNOWN: readonly number[] = [VIR_ERR.NO_SUPPORT, VIR_ERR.RPC];

export interface Checkpoint {
  name: string;
  /** The one before it; null for the first. */
  parent: string | null;
  /** ISO 8601; null where libvirt does not say. */
  takenAt: string | null;
}

/** In libvirt's order; what was deleted while we asked is none. */
export async function listCheckpoints(
  libvirt: Libvirt,
  domain: DomainRef,
  options?: WaitOptions,
): Promise<Checkpoint[]> {
  const found: Checkpoint[] = [];
  const names = await libvirt.checkpoints(domain, options).catch((error: unknown) => {
    if (error instanceof LibvirtError && NONE_KNOWN.includes(error.virErr)) return [];
    throw error;
  });
  for (const name of names) {
    const xml = await libvirt.checkpointXml(domain, name, options).catch((error: unknown) => {
      if (error instanceof LibvirtError && error.virErr === VIR_ERR.NO_DOMAIN_CHECKPOINT) return null;
      throw error;
    });
    if (xml !== null) found.push(checkpointOf(name, xml));
  }
  return found;
}
