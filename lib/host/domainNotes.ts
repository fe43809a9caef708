/** What is worth knowing of a libvirt domain before its disks are tracked or a session is begun. Only looks. */
import { parseDomainXml } from '../backend/libvirt/domainXml.js';
import { onDomain } from '../backend/libvirt/findDomain.js';
import { describeJob } from '../backend/libvirt/jobs.js';
import { qmp } from '../backend/qemu/qmp/commands.js';
import { acquireConnection, releaseConnection } from '../backend/qemu/vmConnection.js';
import { parseSegmentName } from '../core/segmentName.js';
import type { CallOptions } from '../core/vm.js';
import type { Leftover } from './leftover.js';
import { wayTo } from './ways.js';

/** Of a domain that runs. */
export async function domainNotes(address: string, { signal }: CallOptions): Promise<Leftover[]> {
  const { confinedBy, job } = await onDomain(address, { signal }, async ({ libvirt, domain }) => ({
    confinedBy: parseDomainXml(domain.name, await libvirt.xml(domain, { signal })).confinedBy,
    job: describeJob(await libvirt.job(domain, { signal })),
  }));
  const notes: Leftover[] = [];
  if (job !== null) notes.push(note(job, 'sessions wait for its end'));
  if (confinedBy !== null)
    notes.push(
      note(
        `${confinedBy} confines its QEMU to files of its own`,
        'a session needs a folder that it lets QEMU write to: see "libvirt" in docs/operating.md',
      ),
    );
  const snapshots = await internalSnapshots(address, signal);
  if (snapshots.length > 0)
    notes.push(
      note(
        `it has internal snapshots (${snapshots.join(', ')}) and bitmaps`,
        'QEMU ends, guest and all, when libvirt reverts to one while a bitmap is there: `qemu-cbt disable` first, and take a full backup afterwards',
      ),
    );
  return notes;
}

/** Names of those that lie in an image with points of ours. */
async function internalSnapshots(address: string, signal: AbortSignal | undefined): Promise<string[]> {
  const connection = await acquireConnection(await wayTo(address), { signal });
  try {
    const nodes = await qmp(connection.client, 'query-named-block-nodes', { flat: true }, { signal });
    const tracked = nodes.filter((node) =>
      node['dirty-bitmaps']?.some(({ name }) => name !== undefined && parseSegmentName(name) !== null),
    );
    return [...new Set(tracked.flatMap(({ image }) => image.snapshots?.map(({ name }) => name) ?? []))];
  } finally {
    await releaseConnection(connection);
  }
}

function note(message: string, advice: string): Leftover {
  return { problem: false, message, advice, mend: null };
}
