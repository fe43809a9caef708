/** Taking exports of ours, and a server that nobody else uses, out of QEMU. */

import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import { EVENTS_LOST, type QmpPort } from '../qmp/qmpPort.js';
import type { QmpEvent } from '../qmp/schemas.js';
import { ignoreGone } from './jobs.js';
import { askerOf } from './queryIds.js';

/** Deletes an export and waits until QEMU says that it is gone; clients are cut off. */
export async function removeExport(client: QmpPort, id: string, options?: WaitOptions): Promise<void> {
  await removeExports(client, [id], options);
}

/** Deletes exports and waits until QEMU says that all are gone; clients are cut off. */
export async function removeExports(
  client: QmpPort,
  ids: readonly string[],
  options?: WaitOptions,
): Promise<void> {
  if (ids.length === 0) return;
  const changed = (): Promise<QmpEvent> =>
    client.waitEvent(
      ({ event, data }) =>
        event === EVENTS_LOST || (event === 'BLOCK_EXPORT_DELETED' && ids.includes(String(data?.['id']))),
      options,
    );
  const there = async (): Promise<string[]> => {
    const exports = await qmp(client, 'query-block-exports', undefined, options);
    return ids.filter((id) => exports.some((one) => one.id === id));
  };
  let deleted = changed();
  const found = await there();
  await Promise.all(
    found.map((id) => ignoreGone(qmp(client, 'block-export-del', { id, mode: 'hard' }, options))),
  );
  // Events may have come before this wait began, or never: the list decides.
  for (let left = found; left.length > 0; ) {
    left = await there();
    if (left.length === 0) return;
    await deleted;
    deleted = changed();
  }
}

/** Stops an NBD server of ours when it serves nobody else; maps that are being asked through it go with it. */
export async function stopServer(client: QmpPort, options?: WaitOptions): Promise<void> {
  const exports = await qmp(client, 'query-block-exports', undefined, options);
  const asked = exports.map(({ id }) => id).filter((id) => askerOf(id) !== null);
  await removeExports(client, asked, options);
  if ((await qmp(client, 'query-block-exports', undefined, options)).length > 0) return;
  await qmp(client, 'nbd-server-stop', undefined, options).catch(() => undefined);
}
