/** The wiring of disk data: from an export, or an image that no QEMU holds, to its bytes. */
import type { NbdConnectOptions } from './backend/nbd/nbdConnection.js';
import type { NbdTarget } from './backend/nbd/nbdTarget.js';
import { ChangeMap } from './core/changeMap.js';
import type { DiskData } from './core/diskData.js';
import { loadKernel } from './kernel/load.js';
import { requireRoomToWrite } from './roomForBitmaps.js';

export type { NbdConnectOptions as OpenDataOptions } from './backend/nbd/nbdConnection.js';
export type { NbdTarget as DataTarget, NbdTls } from './backend/nbd/nbdTarget.js';
export type { QemuNbdImage } from './backend/nbd/qemuNbdCommand.js';

/**
 * Opens a disk's bytes: an NBD export (`unix`, `tcp`, `uri`), or an image that no QEMU holds (`qemu-nbd`: a process of our
 * own, which ends with the connection). Needs the libnbd addon; without it the error says what to install.
 */
export async function openData(target: NbdTarget, options: NbdConnectOptions = {}): Promise<DiskData> {
  if (target.kind === 'qemu-nbd' && target.readOnly === false && target.format === 'qcow2')
    await requireRoomToWrite(target.file, options.signal);
  const { NbdConnection } = await import('./backend/nbd/nbdConnection.js');
  return NbdConnection.open(target, options);
}

/**
 * What an NBD export of anybody says of itself: a dirty bitmap by its name, or (`bitmap` null) what holds data. The export
 * must not change meanwhile. A bitmap that it does not offer is an error, never an empty map. The connection ends with
 * `close()`.
 */
export async function openExportMap(
  target: NbdTarget,
  bitmap: string | null,
  options: Omit<NbdConnectOptions, 'contexts'> = {},
): Promise<{ map: ChangeMap; close(): Promise<void> }> {
  const context = bitmap === null ? 'base:allocation' : `qemu:dirty-bitmap:${bitmap}`;
  const kernel = await loadKernel();
  const data = await openData(target, { ...options, contexts: [context] });
  const facts = {
    disk: target.kind === 'uri' ? target.uri : target.kind,
    sizeBytes: data.info.sizeBytes,
    // An export does not tell; ranges are as fine as this at most.
    granularityBytes: 512,
    from: bitmap ?? '*',
    to: null,
    warnings: [],
  };
  const { signal } = options;
  const pager = data.pager(context, bitmap === null ? 'data' : 'dirty');
  return { map: new ChangeMap(facts, pager, kernel, { signal }), close: () => data.close() };
}
