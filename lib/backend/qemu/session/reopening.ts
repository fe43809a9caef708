/**
 * Whether QEMU can open an image's files again by their names. For an overlay it has to, read-only and later for writing again; where it
 * cannot it goes on as if nothing were wrong, but keeps the image's bitmaps read-only, and fails the guest's writes to the image
 * from then on (seen on 7.2). The names may lead nowhere by now (`-daemonize` changes the folder), elsewhere (the file was
 * replaced), or be closed to the user whom QEMU runs as since it started.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { readBlockGraph } from '../graph/blockGraph.js';
import { childOf, passFilters } from '../graph/layers.js';
import type { TrackableDisk } from '../graph/vmDisk.js';
import { makeId } from '../own/ids.js';
import { ignoreGone } from '../own/jobs.js';
import { qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import type { QmpPort } from '../qmp/qmpPort.js';

/** Protocols whose names are paths. */
const FILE_DRIVERS: readonly string[] = ['file', 'host_device'];

export async function requireReopenable(
  client: QmpPort,
  { tag, index, disk }: { tag: string; index: number; disk: TrackableDisk },
  options?: WaitOptions,
): Promise<void> {
  const graph = await readBlockGraph(client, options);
  const format = graph.nodes.get(disk.formatNode);
  for (const role of ['file', 'data-file']) {
    const child = format && childOf(format, role);
    const { info } = child === undefined ? {} : passFilters(graph, child).node;
    if (info === undefined || !FILE_DRIVERS.includes(info.drv) || info.file.startsWith('json:')) continue;
    // Without a user it takes no lock.
    const node = { driver: info.drv, 'node-name': makeId('map', tag, index), filename: info.file } as const;
    try {
      await qmp(client, 'blockdev-add', node, options);
    } catch (error) {
      // Called off, it may have come to be all the same; nothing else of the session leads there yet.
      await remove(client, node['node-name']).catch(() => undefined);
      if (!(error instanceof QmpCommandError)) throw error;
      throw cannot(disk, info.file, error.description, error);
    }
    await remove(client, node['node-name']);
    if (await client.host.isReplaced(graph.paths.get(info.file) ?? info.file))
      throw cannot(disk, info.file, 'another file has that name by now');
  }
}

/** Whoever calls off what this is part of still has it done. */
async function remove(client: QmpPort, node: string): Promise<void> {
  await ignoreGone(qmp(client, 'blockdev-del', { 'node-name': node }));
}

function cannot({ id }: TrackableDisk, file: string, why: string, cause?: unknown): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `QEMU could not open the image of ${id} again by its name (${file}), which it has to for an overlay: ${why}. Use fleece mode, or start QEMU anew`,
    { disk: id, cause },
  );
}
