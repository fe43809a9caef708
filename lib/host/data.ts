/** The wiring of disk data: from an export, or an image that no QEMU holds, to its bytes. */
import type { NbdTarget } from '../backend/nbd/nbdTarget.js';
import { openBounded, openDataChecks } from '../core/boundedData.js';
import type { CallOptions } from '../core/callOptions.js';
import { ChangeMap } from '../core/changeMap.js';
import type { DiskData, OpenDataOptions } from '../core/diskData.js';
import { checkOptions, text } from '../core/options.js';
import { loadKernel } from '../kernel/load.js';
import { type DataTarget, requireTarget } from './dataTarget.js';
import { requireRoomToWrite } from './roomForBitmaps.js';

export type { NbdExport, NbdTls } from '../backend/nbd/nbdTarget.js';
export type { QemuNbdImage } from '../backend/nbd/qemuNbdCommand.js';
export type { DataTarget } from './dataTarget.js';

/**
 * Opens a disk's bytes: an NBD export (`unix`, `tcp`, `uri`, or its URI as a text), or an image that no QEMU holds (`qemu-nbd`: a process of our
 * own, which ends with the connection). Needs the libnbd addon; without it the error says what to install.
 * @param target An NBD export, its URI, or an image for qemu-nbd.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError` where it cannot be opened.
 * @example
 * ```ts
 * await using data = await openData({ kind: 'qemu-nbd', file: '/vm/disk.qcow2', format: 'qcow2' });
 * const head = await data.read(0, 65_536);
 * ```
 */
export async function openData(target: DataTarget | string, options?: OpenDataOptions): Promise<DiskData> {
  const checked = requireTarget(target);
  return openBounded(options, async (own) => {
    const { NbdConnection } = await import('../backend/nbd/nbdConnection.js');
    return NbdConnection.open(await described(checked, own?.signal), own);
  });
}

/** By which another process of the same user reaches the server of the data, beside us; null where none can. */
export function serverOf(data: DiskData): string | null {
  const { uri } = data.info as { uri?: string };
  return uri === undefined || uri === '' ? null : uri;
}

/** An image with every file of its stack, as read and checked. */
async function described(target: DataTarget, signal: AbortSignal | undefined): Promise<NbdTarget> {
  if (target.kind !== 'qemu-nbd') return target;
  const { file, format, trust, withoutBacking, ...offer } = target;
  const { imageNode } = await import('./imageName.js');
  const node = await imageNode(file, { format, trust, withoutBacking, signal });
  if (offer.readOnly === false && node.driver === 'qcow2') await requireRoomToWrite(file, signal);
  return { ...offer, file, node };
}

const { contexts: _, ...EXPORT_MAP } = openDataChecks;

/** A map of an export, and the connection that it is read through. */
export interface ExportMap {
  /** What changed, or holds data. */
  map: ChangeMap;
  /**
   * Ends the connection.
   * @param options Signal and deadline.
   * @throws `CbtError` where closing failed.
   */
  close(options?: CallOptions): Promise<void>;
}

/**
 * What an NBD export of anybody says of itself: a dirty bitmap by its name, or (`bitmap` null) what holds data. The export
 * must not change meanwhile. A bitmap that it does not offer is an error, never an empty map. The connection ends with
 * `close()`.
 * @param target The NBD export, or its URI.
 * @param bitmap Name of the bitmap; null for what holds data.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError` where the export has no such bitmap.
 * @example
 * ```ts
 * const opened = await openExportMap({ kind: 'unix', path: '/run/nbd.sock', exportName: 'disk' }, 'backup-7');
 * const bytes = await opened.map.changedBytes();
 * await opened.close();
 * ```
 */
export async function openExportMap(
  target: DataTarget | string,
  bitmap: string | null,
  options: Omit<OpenDataOptions, 'contexts'> = {},
): Promise<ExportMap> {
  const { kind, ...at } = requireTarget(target);
  if (bitmap !== null) text(bitmap, 'bitmap');
  checkOptions('openExportMap', options, EXPORT_MAP);
  const context = bitmap === null ? 'base:allocation' : `qemu:dirty-bitmap:${bitmap}`;
  const kernel = await loadKernel();
  const data = await openData(target, { ...options, contexts: [context] });
  const facts = {
    disk: 'uri' in at ? at.uri : kind,
    sizeBytes: data.info.sizeBytes,
    // An export does not tell; ranges are as fine as this at most.
    granularityBytes: 512,
    from: bitmap ?? '*',
    to: null,
    warnings: [],
  };
  const { signal } = options;
  const pager = data.pager(context, bitmap === null ? 'data' : 'dirty');
  return { map: new ChangeMap(facts, pager, kernel, { signal }), close: (waiting) => data.close(waiting) };
}
