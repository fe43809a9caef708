/** Opens a disk of a connection: an image file of this machine, or a disk of a snapshot. */
import { openData } from '../../../data.js';
import { VIX_E_DISK_INVALID_CONNECTION, VIX_E_FILE_NOT_FOUND } from '../constants/codes.js';
import * as v from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { fileOf } from '../library.js';
import type { VixDiskLibConnection } from './connection.js';
import { type OpenedDisk, VixDiskLibHandle } from './handle.js';
import { readImageInfo, requireFile } from './image.js';

const ALLOCATION = { contexts: ['base:allocation'] };

export async function openDisk(
  connection: VixDiskLibConnection,
  path: unknown,
  flags: number,
): Promise<VixDiskLibHandle> {
  const disk =
    connection.remote === null
      ? await openFile(connection, path, flags)
      : await openSnapshot(connection, path);
  const handle = new VixDiskLibHandle(disk, (closed) => connection.handles.delete(closed));
  connection.handles.add(handle);
  if (connection.closed) {
    await handle.close();
    throw new VixFailure(
      VIX_E_DISK_INVALID_CONNECTION,
      'the connection was closed while the disk was opened',
    );
  }
  return handle;
}

async function openFile(connection: VixDiskLibConnection, path: unknown, flags: number): Promise<OpenedDisk> {
  const file = fileOf(path);
  await requireFile(file);
  const { format, links, parent } = await readImageInfo(file);
  const readOnly = connection.readOnly || (flags & v.VIXDISKLIB_FLAG_OPEN_READ_ONLY) !== 0;
  const withoutBacking = (flags & v.VIXDISKLIB_FLAG_OPEN_SINGLE_LINK) !== 0;
  const data = await openData({ kind: 'qemu-nbd', file, format, readOnly, withoutBacking }, ALLOCATION);
  return {
    data,
    path: String(path),
    file,
    transport: 'file',
    numLinks: withoutBacking ? 1 : links,
    parent,
    adapterType: v.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
    check: null,
  };
}

async function openSnapshot({ remote }: VixDiskLibConnection, path: unknown): Promise<OpenedDisk> {
  if (remote === null) throw new VixFailure(VIX_E_FILE_NOT_FOUND, 'the connection has no snapshot');
  const { session, snapshot } = remote;
  const disk = snapshot.record.disks.find(({ fileName, disk: name }) => fileName === path || name === path);
  const uri = session.disks.find((one) => one.disk === disk?.disk)?.export;
  if (disk === undefined || uri === undefined) {
    const known = snapshot.record.disks.map(({ fileName }) => fileName).join(', ');
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `the snapshot has no disk ${String(path)}; it has ${known}`);
  }
  return {
    data: await openData({ kind: 'uri', uri }, ALLOCATION),
    path: disk.fileName,
    file: null,
    transport: 'nbd',
    numLinks: 1,
    parent: null,
    adapterType: v.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
    check: () => session.check(),
  };
}
