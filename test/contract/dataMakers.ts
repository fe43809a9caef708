/** The disk of the contract for `DiskData`, as each kind of server has it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openData } from '../../lib/host/data.js';
import { type Extent, FakeNbdServer } from '../helpers/fakeNbdServer.js';
import { qemuImg } from '../helpers/qemuTools.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';
import { ALLOCATION, type DataSubject } from './diskData.js';

const CONTEXTS = { contexts: [ALLOCATION] };

/** A qcow2 image that no QEMU holds, by a qemu-nbd of ours for each time that it is opened. */
export const qcow2Image =
  ({ readOnly }: { readOnly: boolean }) =>
  async (content: Buffer): Promise<DataSubject> => {
    const { folder, image } = await imageOf(content);
    return {
      open: () => openData({ kind: 'qemu-nbd', file: image, format: 'qcow2', readOnly }, CONTEXTS),
      writable: !readOnly,
      [Symbol.asyncDispose]: () => folder.remove(),
    };
  };

/** A writable export of a storage daemon. */
export async function daemonExport(content: Buffer): Promise<DataSubject> {
  const { folder, image } = await imageOf(content);
  const daemon = await StorageDaemon.start({
    disks: [{ node: 'disk', file: image, options: { discard: 'unmap' } }],
  });
  await daemon.exportWritable('disk');
  return {
    open: () => openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'disk' }, CONTEXTS),
    writable: true,
    [Symbol.asyncDispose]: async () => {
      await daemon[Symbol.asyncDispose]();
      await folder.remove();
    },
  };
}

/** The fake that tests of faults and hostile servers are about; it keeps nothing that is written. */
export async function fakeServer(content: Buffer): Promise<DataSubject> {
  const folder = await makeTemporaryFolder();
  const path = join(folder.path, 'fake');
  const allocation: Extent[] = [];
  for (let at = 0; at < content.length; at += 65_536) {
    const cluster = content.subarray(at, at + 65_536);
    allocation.push({ length: cluster.length, flags: cluster.some((byte) => byte !== 0) ? 0 : 3 });
  }
  const server = await FakeNbdServer.listen(path, {
    sizeBytes: content.length,
    contexts: { [ALLOCATION]: allocation },
    contents: (offset, length) => content.subarray(offset, offset + length),
  });
  return {
    open: () => openData({ kind: 'unix', path }, CONTEXTS),
    writable: false,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await folder.remove();
    },
  };
}

async function imageOf(content: Buffer) {
  const folder = await makeTemporaryFolder();
  const [raw, image] = [join(folder.path, 'content.raw'), join(folder.path, 'disk.qcow2')];
  await writeFile(raw, content);
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, image);
  return { folder, image };
}
