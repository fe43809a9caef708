/** Whether what a session serves is still its instant: asked before anything that was read is trusted. */

import type { WaitOptions } from '../../../linux/waiting.js';
import { isGuestElsewhere } from '../graph/vmDisks.js';
import { makeId, tagOf } from '../own/ids.js';
import type { Lease } from '../own/lease.js';
import { qmp } from '../qmp/commands.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { MODES } from './modes.js';

/** Why it is not, or may not be; null while it is on every disk. */
export async function whyBroken(
  client: QmpPort,
  { session, mode, disks }: Lease,
  options?: WaitOptions,
): Promise<string | null> {
  const tag = tagOf(session);
  const [inMode, elsewhere, exports] = await Promise.all([
    MODES[mode].findBreak(client, tag, disks, options),
    isGuestElsewhere(client, options),
    qmp(client, 'query-block-exports', undefined, options),
  ]);
  if (inMode !== null) return inMode;
  if (elsewhere) return 'the guest was migrated to another QEMU, whose writes are not seen here';
  for (const { index, disk } of disks) {
    const data = exports.find(({ id }) => id === makeId('data', tag, index));
    // Whoever read on may have been served by another export of its name.
    if (data === undefined || data['shutting-down'])
      return `the export of ${disk} is gone: the NBD server that served it was stopped, or dropped it`;
  }
  return null;
}
