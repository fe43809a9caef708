/** What a process of ours that died left on a running VM, ended: only what is nobody's for sure. */
import { clearLeftQueries } from '../backend/qemu/own/leftQueries.js';
import { endDeadSession, findHeldSessions } from '../backend/qemu/session/deadSessions.js';
import { endLostSession, findLostSessions, strandedBecause } from '../backend/qemu/session/leftFolders.js';
import { placesOfFiles } from '../backend/qemu/session/scratch.js';
import { acquireConnection, releaseConnection } from '../backend/qemu/vmConnection.js';
import { wayTo } from './ways.js';

/** A session that was found: ended now, or somebody's. */
export interface FoundSession {
  /** UUID of its point in time. */
  session: string;
  /** `kept`: a detached one, or one of a process that lives or cannot be seen; taken up with `vm.resume`. */
  became: 'ended' | 'kept';
}

export async function recoverVm(
  address: string,
  { scratchFolder, signal }: { scratchFolder?: string | undefined; signal?: AbortSignal | undefined },
): Promise<FoundSession[]> {
  const connection = await acquireConnection(await wayTo(address), { signal });
  const { client } = connection;
  try {
    const found: FoundSession[] = [];
    for (const held of await findHeldSessions(client, { signal })) {
      const session = held.lease?.session ?? held.tag;
      const dead = held.keeper === 'dead' || held.keeper === 'unbegun';
      const ended = dead && (await endDeadSession(client, held, { signal })) !== null;
      found.push({ session, became: ended ? 'ended' : 'kept' });
    }
    await clearLeftQueries(client, 'dead', { signal });
    const places = await placesOfFiles(client, { folder: scratchFolder }, { signal });
    for (const lost of await findLostSessions(client, places, { signal })) {
      // Its overlay has what the guest wrote and the image lacks: a person decides.
      const stranded = strandedBecause(lost) !== null;
      if (!stranded) await endLostSession(client, lost, { signal });
      found.push({ session: lost.lease.session, became: stranded ? 'kept' : 'ended' });
    }
    return found;
  } finally {
    await releaseConnection(connection);
  }
}
