/** Opens a disk of a connection: an image file of this machine, or a disk of a snapshot. */
import { CbtError } from '../../../core/errors.js';
import { openData } from '../../../host/data.js';
import { openDisk as openTracked } from '../../../host/open.js';
import type { VirtualMachineSnapshot } from '../../vsphere/index.js';
import {
  VIX_E_DISK_INVALID_CONNECTION,
  VIX_E_FILE_NOT_FOUND,
  VIX_E_SNAPSHOT_NOTFOUND,
} from '../constants/codes.js';
import * as v from '../constants/values.js';
import { VixFailure } from '../errors.js';
import { library } from '../library.js';
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
    connection.remote !== null
      ? await openSnapshot(connection, path)
      : connection.off !== null
        ? await openOffDisk(connection, connection.off, path, flags)
        : await openFile(connection, path, flags);
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
  const file = library().fileOf(path);
  return openLocal(connection, { path: String(path), file, given: undefined }, flags);
}

/** While it is open QEMU's lock on the image keeps everybody from writing, the VM too: what is found unchanged then stays so. */
async function openOffDisk(
  connection: VixDiskLibConnection,
  { images, vm, snapshot }: NonNullable<VixDiskLibConnection['off']>,
  path: unknown,
  flags: number,
): Promise<OpenedDisk> {
  const devices = (snapshot ?? vm).config.hardware.device;
  const device = byName(
    devices,
    path,
    ({ backing }) => backing.fileName,
    ({ deviceInfo }) => deviceInfo.label,
  );
  const label = device?.deviceInfo.label ?? '';
  const file = Object.hasOwn(images, label) ? images[label] : undefined;
  if (device === undefined || file === undefined) {
    const known = devices.map(({ backing }) => backing.fileName).join(', ');
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `the VM has no disk ${String(path)}; it has ${known}`);
  }
  const opened = await openLocal(connection, { path: device.backing.fileName, file, given: 'qcow2' }, flags);
  try {
    if (snapshot !== null) await requireContent(file, snapshot, device.key);
    return opened;
  } catch (thrown) {
    await opened.data.close();
    throw thrown;
  }
}

/** Throws unless the file is the disk of the snapshot, and nothing has written to it since. */
async function requireContent(file: string, { record }: VirtualMachineSnapshot, key: number): Promise<void> {
  const disk = record.disks.find((one) => one.key === key);
  if (disk === undefined)
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `the snapshot has no disk of key ${key}`);
  await using image = await openTracked(file, { format: 'qcow2' });
  const written = await image
    .changes({ from: disk.instant, max: 1 })
    .then((map) => map.ranges())
    .catch((cause: unknown) => {
      if (!(cause instanceof CbtError) || !cause.fullBackupNeeded) throw cause;
      const what = `${file} is not the disk that it was at the snapshot: ${cause.message}`;
      throw new VixFailure(VIX_E_SNAPSHOT_NOTFOUND, what, { cause });
    });
  if (written.length === 0) return;
  throw new VixFailure(
    VIX_E_SNAPSHOT_NOTFOUND,
    `${file} was written since the snapshot: its content is gone`,
  );
}

/** By the first kind of name that fits any: the name of one disk may be another kind of name of the next. */
function byName<D>(
  disks: readonly D[],
  name: unknown,
  ...kinds: readonly ((disk: D) => string)[]
): D | undefined {
  for (const kind of kinds) {
    const found = disks.find((disk) => kind(disk) === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function openLocal(
  connection: VixDiskLibConnection,
  { path, file, given }: { path: string; file: string; given: string | undefined },
  flags: number,
): Promise<OpenedDisk> {
  await requireFile(file);
  const { format, links, parent } = await readImageInfo(file, given);
  const readOnly = connection.readOnly || (flags & v.VIXDISKLIB_FLAG_OPEN_READ_ONLY) !== 0;
  const withoutBacking = (flags & v.VIXDISKLIB_FLAG_OPEN_SINGLE_LINK) !== 0;
  const data = await openData({ kind: 'qemu-nbd', file, format, readOnly, withoutBacking }, ALLOCATION);
  return {
    data,
    path,
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
  const disk = byName(
    snapshot.record.disks,
    path,
    (one) => one.fileName,
    (one) => one.disk,
  );
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
