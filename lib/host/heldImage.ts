/**
 * An image that no VM uses, held for writing: what its chain says and its bytes come from one QEMU of our own, under one lock from the
 * first look to the last write. What is written is recorded in the image’s bitmaps, as a guest’s writes are.
 */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findByNode } from '../backend/qemu/graph/vmDisks.js';
import { LiveDiskSource } from '../backend/qemu/live/liveSource.js';
import { QueryServer } from '../backend/qemu/live/queryServer.js';
import { addImage } from '../backend/qemu/openForWriting.js';
import { startServer } from '../backend/qemu/own/nbdServer.js';
import { qmp } from '../backend/qemu/qmp/commands.js';
import type { QmpPort } from '../backend/qemu/qmp/qmpPort.js';
import { withStorageDaemon } from '../backend/qemu/storageDaemon.js';
import type { DiskData } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';
import { TrackedDisk } from '../core/trackedDisk.js';
import { loadKernel } from '../kernel/load.js';
import { onFile } from '../linux/fileFault.js';
import { openData } from './data.js';
import { type ImageNode, imageNode } from './imageName.js';
import type { OpenDiskOptions } from './openFile.js';
import { bitmapBytesToStore, requireRoomToWrite } from './roomForBitmaps.js';
import { holdUnusedDevice } from './unused.js';
import { requireNoWaitingOverlay } from './waitingOverlay.js';

/** What the image is, as far as it is known, and who may call it off. */
export interface HeldImageOptions extends Pick<OpenDiskOptions, 'format' | 'trust' | 'signal'> {
  /** Folders that sessions were given for their files: an overlay that waits there keeps everybody away (`BUSY`). */
  scratchPlaces?: readonly string[] | undefined;
}

/** The image while it is held. */
export interface HeldImage {
  /** For questions: its points in time, what changed, what holds data. Nothing else writes to it. */
  disk: TrackedDisk;
  /** Its bytes, to read and to write. */
  data: DiskData;
  /** Bytes that storing its bitmaps at the end may take; null of a device, which does not grow. */
  bitmapBytes: number | null;
}

const NODE = 'image0';
const EXPORT = 'data';
const WRITABLE = ['qcow2', 'raw'];

/**
 * Runs the work on the image; it is closed cleanly on every way out, also when we are killed, so that its bitmaps are stored with every
 * write in them. Throws `BUSY` where anybody has it open, `ERR_CBT_UNSUPPORTED` for a format that is never written (Parallels).
 */
export async function withHeldImage<T>(
  path: string,
  options: HeldImageOptions,
  work: (held: HeldImage) => Promise<T>,
): Promise<T> {
  const { format, trust, signal, scratchPlaces } = options;
  const image = resolve(path);
  const isDevice = (await onFile(image, 'looking', () => stat(image))).isBlockDevice();
  const device = isDevice ? await holdUnusedDevice(image) : null;
  try {
    await requireNoWaitingOverlay([image], scratchPlaces);
    const node = await imageNode(image, { format, trust, signal });
    if (!WRITABLE.includes(node.driver))
      throw new CbtError(
        'ERR_CBT_UNSUPPORTED',
        `${image} is a ${node.driver} image, which is only ever read`,
        {
          disk: image,
          reason: 'FORMAT',
        },
      );
    const grows = node.driver === 'qcow2';
    if (grows) await requireRoomToWrite(image, signal);
    const bitmapBytes = grows ? await bitmapBytesToStore(image, signal) : 0;
    return await withStorageDaemon({ images: [], signal }, async (client, { folder }) => {
      await addImage(client, { path: image, nodeName: NODE, node: givingBack(node) }, { signal });
      return await serve(client, { image, folder, signal }, (disk, data) =>
        work({ disk, data, bitmapBytes: isDevice ? null : bitmapBytes }),
      );
    });
  } finally {
    await device?.close();
  }
}

/** What becomes zeros gives its room back. */
function givingBack(node: ImageNode): ImageNode {
  const unmap = { discard: 'unmap' };
  return { ...node, ...unmap, file: { ...node.file, ...unmap } };
}

async function serve<T>(
  client: QmpPort,
  { image, folder, signal }: { image: string; folder: string; signal: AbortSignal | undefined },
  work: (disk: TrackedDisk, data: DiskData) => Promise<T>,
): Promise<T> {
  const socket = join(folder, 'nbd.sock');
  await startServer(client, socket, { signal });
  const exported = { type: 'nbd', id: EXPORT, name: EXPORT, 'node-name': NODE, writable: true } as const;
  await qmp(client, 'block-export-add', exported, { signal });
  const kernel = await loadKernel();
  const source = new LiveDiskSource({
    client,
    server: new QueryServer(client, { given: socket }),
    kernel,
    disk: image,
    find: (disks) => findByNode(disks, NODE),
  });
  await using disk = new TrackedDisk(source, kernel);
  await using data = await openData({ kind: 'unix', path: socket, exportName: EXPORT }, { signal });
  return await work(disk, data);
}
