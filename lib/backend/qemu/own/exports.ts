/** Taking exports of ours, and a server that nobody else uses, out of QEMU. */

import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import { EVENTS_LOST, type QmpPort } from '../qmp/qmpPort.js';
import type { QmpEvent } from '../qmp/schemas.js';
import { ignoreGone } from './jobs.js';
import { askerOf } from './queryIds.js';

/** Deletes an export and waits until QEMU says that it is gone; clients are cut off. */
export async function removeExport(client: QmpPort, id: string, options?: WaitOptions): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await qmp(client, 'query-block-exports', undefined, options)).some((e) => e.id === id);
  const changed = (): Promise<QmpEvent> =>
    client.waitEvent(
      ({ event, data }) => event === EVENTS_LOST || (event === 'BLOCK_EXPORT_DELETED' && data?.['id'] === id),
      options,
    );
  let deleted = changed();
  if (!(await isThere())) return;
  await ignoreGone(qmp(client, 'block-export-del', { id, mode: 'hard' }, options));
  // The event may have come before this wait began, or never: the list decides.
  while (await isThere()) {
    const { event } = await deleted;
    if (event !== EVENTS_LOST) return;
    deleted = changed();
  }
}

/** Stops an NBD server of ours when it serves nobody else; maps that are being asked through it go with it. */
export async function stopServer(client: QmpPort, options?: WaitOptions): Promise<void> {
  for (const { id } of await qmp(client, 'query-block-exports', undefined, options))
    if (askerOf(id) !== null) await removeExport(client, id, options);
  if ((await qmp(client, 'query-block-exports', undefined, options)).length > 0) return;
  await qmp(client, 'nbd-server-stop', undefined, options).catch(() => undefined);
}
