/** Opens a disk of a connection: an image file of this machine, or a disk of a snapshot. */
import type { DiskData } from '../../../core/diskData.js';
import { isContentGone, type Session } from '../../../core/session.js';
import { openData, serverOf } from '../../../host/data.js';
import type { VirtualMachineSnapshot } from '../../vsphere/index.js';
import { storeFileOf, storeNames } from '../../vsphere/storeNames.js';
import {
  VIX_E_DISK_INVALID_CONNECTION,
  VIX_E_FILE_NOT_FOUND,
  VIX_E_NOT_SUPPORTED,
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
  if (connection.unreachable !== null) throw new VixFailure(VIX_E_NOT_SUPPORTED, connection.unreachable);
  const disk =
    connection.remote === null
      ? await openFile(connection, path, flags)
      : await openRemote(connection, connection.remote, path, flags);
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
  return openLocal(connection, { path: String(path), file, given: undefined, uuid: null }, flags);
}

async function openRemote(
  connection: VixDiskLibConnection,
  { vm, name: vmName, disks, content }: NonNullable<VixDiskLibConnection['remote']>,
  name: unknown,
  flags: number,
): Promise<OpenedDisk> {
  const stored = storeNames(
    vmName,
    disks.map(({ key, deviceInfo }) => ({ key, label: deviceInfo.label })),
  );
  const device = byName(
    disks,
    name,
    ({ backing }) => backing.fileName,
    ({ deviceInfo }) => deviceInfo.label,
    // As `qemu-cbt serve` tells programs that it is called.
    ({ key }) => storeFileOf(stored.get(key) ?? ''),
  );
  const known = disks.map(({ backing }) => backing.fileName).join(', ');
  const what = content === null ? 'VM' : 'snapshot';
  if (device === undefined)
    throw new VixFailure(VIX_E_FILE_NOT_FOUND, `the ${what} has no disk ${String(name)}; it has ${known}`);
  const { fileName: path, uuid } = device.backing;
  const disk = device.deviceInfo.label;
  // Of one that is off: the layers are files of this machine.
  const file = vm.running ? null : ((await vm.disks({ disks: [disk] }))[0]?.filename ?? null);
  if (content === null) return openLocal(connection, { path, file: file ?? '', given: 'qcow2', uuid }, flags);
  const { session, snapshot } = content;
  const layers = file === null ? { links: 1, parent: null } : await readImageInfo(file, 'qcow2');
  return {
    data: await readContent(session, snapshot, disk),
    path,
    file,
    uuid,
    transport: vm.running ? 'nbd' : 'file',
    numLinks: layers.links,
    parent: layers.parent,
    adapterType: v.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
    // What is read of it counts only after a look.
    server: null,
    check: () => session.check(disk),
  };
}

/** Throws unless it is the disk of the snapshot, and holds what it held then. */
async function readContent(
  session: Session,
  snapshot: VirtualMachineSnapshot,
  disk: string,
): Promise<DiskData> {
  try {
    snapshot.requireDiskOf(session, disk);
    return await session.openData(disk, ALLOCATION);
  } catch (cause) {
    if (!isContentGone(cause)) throw cause;
    const message = `the content of ${disk} at the snapshot is gone: ${(cause as Error).message}`;
    throw new VixFailure(VIX_E_SNAPSHOT_NOTFOUND, message, { cause });
  }
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
  { path, file, given, uuid }: { path: string; file: string; given: string | undefined; uuid: string | null },
  flags: number,
): Promise<OpenedDisk> {
  await requireFile(file);
  const { format, links, parent } = await readImageInfo(file, given);
  const readOnly = connection.readOnly || (flags & v.VIXDISKLIB_FLAG_OPEN_READ_ONLY) !== 0;
  const withoutBacking = (flags & v.VIXDISKLIB_FLAG_OPEN_SINGLE_LINK) !== 0;
  const shared = library().sharesServers;
  const data = await openData(
    { kind: 'qemu-nbd', file, format, readOnly, withoutBacking, shared },
    ALLOCATION,
  );
  return {
    data,
    path,
    file,
    uuid,
    transport: 'file',
    numLinks: withoutBacking ? 1 : links,
    parent,
    adapterType: v.VIXDISKLIB_ADAPTER_SCSI_LSILOGIC,
    server: shared ? serverOf(data) : null,
    check: null,
  };
}
