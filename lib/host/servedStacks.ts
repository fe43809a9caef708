/**
 * Stacks of qcow2 files shown read-only by a storage daemon of ours: as NBD exports, or each as a raw file by FUSE. Every file is named to QEMU with
 * its driver, and no name in a header is followed. The daemon ends with us, however we end, and what it mounted with it.
 */
import type { ImageNode } from '../backend/image/node.js';
import { startServer } from '../backend/qemu/own/nbdServer.js';
import { qmp } from '../backend/qemu/qmp/commands.js';
import { QmpCommandError } from '../backend/qemu/qmp/qmpError.js';
import type { QmpPort } from '../backend/qemu/qmp/qmpPort.js';
import { withStorageDaemon } from '../backend/qemu/storageDaemon.js';
import { CbtError } from '../core/errors.js';

/** A disk as a stack of qcow2 files, by absolute paths, the lowest first. */
export interface ServedStack {
  /** Of its export. */
  name: string;
  files: readonly string[];
}

/** Where it is shown: on a socket for NBD clients, or (`fuse`) as a file, which is there already and empty. */
export type ServedAt =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'fuse'; fileOf: (name: string) => string };

/** Shows the stacks, runs the work, and takes everything away again. `ended` rejects where the daemon goes before that. */
export async function withServedStacks<T>(
  stacks: readonly ServedStack[],
  at: ServedAt,
  signal: AbortSignal | undefined,
  work: (ended: Promise<never>) => Promise<T>,
): Promise<T> {
  return withStorageDaemon({ images: [], signal }, async (client) => {
    if (at.kind === 'unix') await startServer(client, at.path, { signal });
    if (at.kind === 'tcp') {
      const addr = { type: 'inet', data: { host: at.host, port: String(at.port) } } as const;
      await qmp(client, 'nbd-server-start', { addr }, { signal });
    }
    for (const [index, { name, files }] of stacks.entries()) {
      const node = `disk${index}`;
      const opened = { ...stackNode(files), 'node-name': node };
      await qmp(client, 'blockdev-add', opened, { signal });
      await show(client, { name, node }, at, signal);
    }
    const ended = client.ended.then((error): never => {
      throw error;
    });
    // Heard, or nobody waits for it any more.
    ended.catch(() => undefined);
    return await work(ended);
  });
}

async function show(
  client: QmpPort,
  { name, node }: { name: string; node: string },
  at: ServedAt,
  signal: AbortSignal | undefined,
): Promise<void> {
  const exported = { id: node, 'node-name': node, writable: false } as const;
  if (at.kind !== 'fuse') {
    await qmp(client, 'block-export-add', { type: 'nbd', name, ...exported }, { signal });
    return;
  }
  const mountpoint = at.fileOf(name);
  try {
    await qmp(
      client,
      'block-export-add',
      { type: 'fuse', mountpoint, growable: false, ...exported },
      { signal },
    );
  } catch (error) {
    if (!(error instanceof QmpCommandError)) throw error;
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      `${mountpoint} cannot be mounted: ${error.description}. FUSE is needed (/dev/fuse, and for other users than root fusermount3), and a qemu-storage-daemon that was built with it; qemu-cbt serve-nbd does without`,
      { details: { mountpoint }, cause: error },
    );
  }
}

function stackNode(files: readonly string[]): ImageNode {
  const [lowest, ...above] = files.map((filename): ImageNode => {
    const file = { driver: 'file', filename } as const;
    return { driver: 'qcow2', file: readOnly(file), backing: null };
  });
  if (lowest === undefined) throw new CbtError('ERR_CBT_INTERNAL', 'a stack without a file');
  return above.reduce((backing, node): ImageNode => readOnly({ ...node, backing }), readOnly(lowest));
}

function readOnly<Node extends object>(node: Node): Node {
  return { ...node, 'read-only': true };
}
