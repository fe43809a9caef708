/** The UUID that a VM was started with. */
import type { WaitOptions } from '../../linux/waiting.js';
import { ifKnown, qmp } from './qmp/commands.js';
import type { QmpPort } from './qmp/qmpPort.js';

/** In lower case; null for a VM without one, of which QEMU tells zeros, and for a storage daemon. */
export async function vmUuid(client: QmpPort, options?: WaitOptions): Promise<string | null> {
  const told = await ifKnown(qmp(client, 'query-uuid', undefined, options));
  return told === null || /^[0-]+$/.test(told.UUID) ? null : told.UUID.toLowerCase();
}
