/** What a QEMU was given beside devices and nodes: threads, secrets, keys. */
import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import type { QmpPort } from '../qmp/qmpPort.js';

export async function listObjects(
  client: QmpPort,
  options?: WaitOptions,
): Promise<readonly { name: string; type: string }[]> {
  try {
    return await qmp(client, 'qom-list', { path: '/objects' }, options);
  } catch (error) {
    // A storage daemon makes this folder with its first object.
    if (error instanceof QmpCommandError && error.qmpClass === 'DeviceNotFound') return [];
    throw error;
  }
}
