/** The wiring of disk data: from an export, or an image that no QEMU holds, to its bytes. */
import type { NbdConnectOptions } from './backend/nbd/nbdConnection.js';
import type { NbdTarget } from './backend/nbd/nbdTarget.js';
import type { DiskData } from './core/diskData.js';

export type { NbdConnectOptions as OpenDataOptions } from './backend/nbd/nbdConnection.js';
export type { NbdTarget as DataTarget, NbdTls } from './backend/nbd/nbdTarget.js';

/**
 * Opens a disk's bytes: an NBD export (`unix`, `tcp`, `uri`), or an image that no QEMU holds (`qemu-nbd`: a process of our
 * own, which ends with the connection). Needs the libnbd addon; without it the error says what to install.
 */
export async function openData(target: NbdTarget, options: NbdConnectOptions = {}): Promise<DiskData> {
  const { NbdConnection } = await import('./backend/nbd/nbdConnection.js');
  return NbdConnection.open(target, options);
}
