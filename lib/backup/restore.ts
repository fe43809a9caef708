/**
 * Restores a disk as it was at any run of a folder: to a file, a block device or an NBD export. What is written was checked
 * against the sums first; a file is there under its name when it is complete.
 */

import type { CallOptions } from '../core/callOptions.js';
import type { DiskData } from '../core/diskData.js';
import { CbtError, invalidArgument } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';
import { type Checks, callback, checkOptions, flag, oneOf, required, text } from '../core/options.js';
import { type OnProgress, Progress } from '../core/progress.js';
import { type NbdTls, openData } from '../host/data.js';
import { nbdTls } from '../host/dataTarget.js';
import { type Logger, logger } from '../watch/logger.js';
import { BlockTarget } from './blockTarget.js';
import type { BackupFolder, Layer } from './folder.js';
import { checkStack } from './layerFiles.js';
import { type LayerPiece, readLayers } from './layerReader.js';
import { CALL } from './options.js';
import { atRun, openForReading, type Selection, selectStack } from './reading.js';
import { intoDeviceOrFile, type RestoreWork, requireSize } from './restoreTarget.js';
import { toldBackup } from './told.js';

/** Where a disk goes, and who is told. */
export interface RestoreToOptions extends CallOptions {
  /** A file that is not there yet, a block device, or an NBD URI. */
  to: string;
  /** What proves who is who, for an `nbds:` URI. */
  tls?: NbdTls | undefined;
  /** Format of a new file; unless given, qcow2 where its name ends in `.qcow2`, else raw. */
  format?: 'raw' | 'qcow2' | undefined;
  /** Replace a file that is there; one that a VM uses stays, as `BUSY`. */
  force?: boolean | undefined;
  /** Told as bytes are read, of those that the disk's layers hold. */
  onProgress?: OnProgress | undefined;
  /** Told what is done, a line each; nobody unless given. */
  logger?: Logger | undefined;
}

/** Which disk at which point, and where it goes. */
export interface RestoreOptions extends Selection, RestoreToOptions {
  /** Folder of the backup. */
  from: string;
}

/** What was restored. */
export interface RestoreResult {
  /** Name of the disk. */
  disk: DiskName;
  /** Number of the run. */
  run: number;
  /** UUID of the run's point in time. */
  pit: PointId;
  /** Size of the disk. */
  sizeBytes: number;
  /** Bytes of data that were written; the rest are zeros. */
  writtenBytes: number;
}

/** On their way to the target; as much again is being read. */
const QUEUE_BYTES = 4 << 20;

/** What is checked of them wherever a disk is restored from. */
export const RESTORE_TO: Checks<RestoreToOptions> = {
  to: required(text),
  tls: nbdTls,
  format: oneOf('raw', 'qcow2'),
  force: flag,
  onProgress: callback,
  logger,
  ...CALL,
};

const RESTORE: Checks<RestoreOptions> = { ...RESTORE_TO, from: required(text), at: atRun, disk: text };

/**
 * Writes a disk as it was. Headers, sums files and every byte are checked before they are written:
 * `ERR_CBT_CORRUPT_IMAGE` for what is damaged. After a failure no new file is left; a device or an export may be half written. One
 * that is too small is `ERR_CBT_INVALID_ARGUMENT`.
 * @param options From where, which point, where to.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be, ERR_CBT_CORRUPT_IMAGE for a folder that is not
 * sound.
 * @example
 * ```ts
 * await restore({ from: '/backup/web', disk: 'drive0', to: '/restored/drive0.qcow2' });
 * ```
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  checkOptions('restore', options, RESTORE);
  const about = { folder: options.from, disk: options.disk };
  return toldBackup('restore', about, options, restoreDisk, (message, { disk, run, pit }) => {
    Object.assign(message, { disk, run, pit });
  });
}

async function restoreDisk(options: RestoreOptions): Promise<RestoreResult> {
  await using opened = await openForReading(options.from);
  const { folder } = opened;
  const layers = selectStack(folder, options);
  // Not before it is done is the folder let go of.
  return await restoreStack(folder, layers, options);
}

/** Writes the disk that these layers are, the full one first. */
export async function restoreStack(
  folder: BackupFolder,
  layers: readonly Layer[],
  options: WriteDiskOptions,
): Promise<RestoreResult> {
  const top = layers.at(-1);
  if (top === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'a stack without a layer');
  await checkStack(folder, layers, options.signal);
  const { sizeBytes } = top.disk;
  const writtenBytes = await writeDisk(options, {
    disk: top.disk.disk,
    sizeBytes,
    totalBytes: layers.reduce((sum, { disk }) => sum + disk.storedBytes, 0),
    pieces: (more) => readLayers(folder, layers, more),
    keep: folder.names.map((name) => folder.file(name)),
  });
  return { disk: top.disk.disk, run: top.run.run, pit: top.run.pit, sizeBytes, writtenBytes };
}

/** Where a restored disk goes, whatever it comes from. */
export type WriteDiskOptions = Pick<
  RestoreOptions,
  'to' | 'tls' | 'format' | 'force' | 'signal' | 'onProgress'
>;

/** The disk that is written. */
export interface StoredDisk {
  disk: DiskName;
  sizeBytes: number;
  /** Bytes that are stored of it, for whoever is told how far it is. */
  totalBytes: number;
  /** All data; zeros too, where they are asked for. */
  pieces: (options: {
    zeros: boolean;
    signal: AbortSignal | undefined;
    onBytes: (bytes: number) => void;
  }) => AsyncIterable<LayerPiece>;
  /** Files that are never written to. */
  keep: readonly string[];
}

/** Writes a stored disk to a file, a device or an export; bytes of data that were written. */
export async function writeDisk(options: WriteDiskOptions, stored: StoredDisk): Promise<number> {
  const { sizeBytes, keep } = stored;
  const fill = (target: DiskData, blank: boolean): Promise<number> =>
    fillTarget(stored, target, { ...options, blank });
  const isExport = /^nbds?(\+unix)?:\/\//.test(options.to);
  if (options.tls !== undefined && !isExport)
    throw invalidArgument('tls', 'given', `left out: ${options.to} is no NBD URI`);
  if (isExport) return intoExport(options, sizeBytes, fill);
  return intoDeviceOrFile(options, { sizeBytes, fill, keep });
}

async function intoExport(
  { to, tls, signal }: WriteDiskOptions,
  sizeBytes: number,
  fill: RestoreWork['fill'],
): Promise<number> {
  const uri = { kind: 'uri', uri: to, ...(tls !== undefined && { tls }) } as const;
  await using target = await openData(uri, signal === undefined ? {} : { signal });
  const { minBlockBytes = 1 } = target.info;
  // The disk's last bytes lie in a whole block of the export, which is read and written as one.
  requireSize(to, target.info.sizeBytes, Math.ceil(sizeBytes / minBlockBytes) * minBlockBytes);
  if (target.info.readOnly)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${to} is read-only`, { details: { to } });
  return await fill(target, false);
}

/** Writes all data; zeros too, unless the target is blank. */
async function fillTarget(
  { disk, totalBytes, pieces: stored }: StoredDisk,
  target: DiskData,
  { signal, onProgress, blank }: WriteDiskOptions & { blank: boolean },
): Promise<number> {
  const call = signal === undefined ? {} : { signal };
  const blocks = new BlockTarget(target, call);
  const progress = new Progress('restore', onProgress, { totalBytes });
  let writtenBytes = 0;
  const pieces = async function* (): AsyncGenerator<{ offset: number; data: Buffer }, void, undefined> {
    const onBytes = (bytes: number): void => progress.add(disk, bytes);
    for await (const piece of stored({ zeros: !blank, signal, onBytes })) {
      if (piece.data === null) await blocks.zero(piece.offset, piece.length);
      else {
        writtenBytes += piece.data.length;
        yield piece;
      }
    }
  };
  await target.writeStream(blocks.wholeBlocks(pieces()), { queueBytes: QUEUE_BYTES, ...call });
  await blocks.finish();
  return writtenBytes;
}
