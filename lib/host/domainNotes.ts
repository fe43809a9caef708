/** What is worth knowing of a libvirt domain before its disks are tracked or a session is begun. Only looks. */
import { type Checkpoint, listCheckpoints } from '../backend/libvirt/checkpoints.js';
import { formatDomainAddress, LIBVIRT_PREFIX, parseDomainName } from '../backend/libvirt/domainName.js';
import { parseDomainXml } from '../backend/libvirt/domainXml.js';
import { onDomain } from '../backend/libvirt/findDomain.js';
import { describeJob } from '../backend/libvirt/jobs.js';
import { qmp } from '../backend/qemu/qmp/commands.js';
import { acquireConnection, releaseConnection } from '../backend/qemu/vmConnection.js';
import type { CallOptions } from '../core/vm.js';
import type { Leftover } from './leftover.js';
import { wayTo } from './ways.js';

/** Of a domain that runs. */
export async function domainNotes(address: string, { signal }: CallOptions): Promise<Leftover[]> {
  const { confinedBy, job, checkpoints } = await onDomain(
    address,
    { signal },
    async ({ libvirt, domain }) => ({
      confinedBy: parseDomainXml(domain.name, await libvirt.xml(domain, { signal })).confinedBy,
      job: describeJob(await libvirt.job(domain, { signal })),
      checkpoints: await listCheckpoints(libvirt, domain, { signal }),
    }),
  );
  const notes: Leftover[] = [];
  if (job !== null) notes.push(note(job, 'sessions wait for its end'));
  if (confinedBy !== null)
    notes.push(
      note(
        `${confinedBy} confines its QEMU to files of its own`,
        'a session needs a folder that it lets QEMU write to: see "libvirt" in docs/operating.md',
      ),
    );
  const connection = await acquireConnection(await wayTo(address), { signal });
  try {
    const { client } = connection;
    const risk = await client.host.riskOfTracking({ signal });
    if (risk !== null)
      notes.push(note(risk, '`qemu-cbt disable` before a revert, and a full backup after it'));
    const nodes = await qmp(client, 'query-named-block-nodes', { flat: true }, { signal });
    const good = nodes
      .flatMap((node) => node['dirty-bitmaps'] ?? [])
      .filter((one) => one.inconsistent !== true);
    const stale = checkpoints.filter(({ name }) => !good.some((bitmap) => bitmap.name === name));
    if (stale.length > 0)
      notes.push(
        note(
          `libvirt has checkpoints whose bitmaps are gone or broken (${stale.map(({ name }) => name).join(', ')})`,
          'what is based on them fails: `virsh checkpoint-delete`, with --metadata where that fails',
        ),
      );
  } finally {
    await releaseConnection(connection);
  }
  return notes;
}

/** Those of a domain, by the name of it or of one of its disks; none for any other name. */
export async function domainCheckpoints(name: string, { signal }: CallOptions): Promise<Checkpoint[]> {
  if (!name.startsWith(LIBVIRT_PREFIX)) return [];
  const { uri, domain } = parseDomainName(name);
  return onDomain(formatDomainAddress(uri, domain), { signal }, (found) =>
    listCheckpoints(found.libvirt, found.domain, { signal }),
  );
}

function note(message: string, advice: string): Leftover {
  return { problem: false, message, advice, mend: null };
}
