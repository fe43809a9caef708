/** The one wiring place: from what a caller names to the backend and kernel that serve it. */
import { formatDomainAddress, LIBVIRT_PREFIX, parseDomainName } from '../backend/libvirt/domainName.js';
import { invalidArgument } from '../core/errors.js';
import { timeLeft } from '../core/timeLeft.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { Vm } from '../core/vm.js';
import { parseQmpName } from './diskName.js';
import { checkOpen, type OpenDiskOptions, openImageDisk } from './openFile.js';
import { openVm } from './openVm.js';
import { type ConnectVmOptions, connectVm } from './vm.js';

export { checkOpen, type OpenDiskOptions } from './openFile.js';

/**
 * Opens a disk for questions. `disk` is the path of a qcow2 or raw image, of a Parallels `.hds` file or `.hdd` folder,
 * which is only ever read; or `qmp:<socket>#<disk>`, a disk of a running QEMU by any of its names; or
 * `libvirt:<uri>#<domain>#<disk>`, a disk of a libvirt domain, running or off. Refuses with `ERR_CBT_BACKEND_UNAVAILABLE` and reason `BUSY` when a running QEMU holds the
 * image for writing: its bitmaps are then in that process, not in the file.
 * @param disk Path of an image, or any disk as the command takes it.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError` where it cannot be read.
 * @example
 * ```ts
 * await using disk = await openDisk('/vm/disk.qcow2');
 * const { pits } = await disk.pits();
 * ```
 */
export async function openDisk(disk: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
  checkOpen(disk, options);
  if (disk.startsWith('qmp:')) return openLive(parseQmpName(disk), options);
  if (disk.startsWith(LIBVIRT_PREFIX)) return openOfDomain(disk, options);
  return openImageDisk(disk, options);
}

async function openLive(
  { socket, disk }: { socket: string; disk: string },
  options: OpenDiskOptions,
): Promise<TrackedDisk> {
  if (disk === '') throw invalidArgument('disk', `qmp:${socket}`, 'qmp:<QMP socket>#<disk>');
  return ofVm(disk, options, (own) => connectVm(socket, own));
}

/** Of a domain, running or off. */
async function openOfDomain(name: string, options: OpenDiskOptions): Promise<TrackedDisk> {
  const { uri, domain, disk } = parseDomainName(name);
  if (domain === '' || disk === '') throw invalidArgument('disk', name, 'libvirt:<uri>#<domain>#<disk>');
  const qmp = formatDomainAddress(uri, domain);
  return ofVm(disk, options, (own) => openVm({ address: qmp, ...own }));
}

/** The disk of a VM that is closed with it. */
export async function ofVm(
  disk: string,
  { kernel, nbdSocket, scratchFolder, ...call }: OpenDiskOptions,
  connect: (options: ConnectVmOptions) => Promise<Vm>,
): Promise<TrackedDisk> {
  const left = timeLeft(call);
  const vm = await connect({ ...left(), kernel, nbdSocket, scratchFolder });
  try {
    return (await vm.openDisk(disk, left())).closeWith(vm);
  } catch (error) {
    await vm.close();
    throw error;
  }
}
