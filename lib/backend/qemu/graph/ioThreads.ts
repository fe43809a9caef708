/**
 * Disks that an I/O thread serves. QEMU before 8.2.3 ends an NBD connection in the thread that serves the export, and since
 * 7.2.14 (the repair of CVE-2024-7409) it asserts that this is the main thread: the first reader that disconnects from such
 * a disk, however politely, aborts the whole VM. Nothing in the schema shows it, so here the version decides; 9.0 and 8.2.3
 * have "nbd/server: only traverse NBDExport->clients from main loop thread".
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import type { QemuVersion } from '../qmp/schemas.js';
import { listObjects } from './objects.js';
import type { TrackableDisk } from './vmDisk.js';

/** Throws ERR_CBT_UNSUPPORTED when an export of this disk could take the VM down. */
export async function requireSafeExport(
  client: QmpPort,
  disk: TrackableDisk,
  options?: WaitOptions,
): Promise<void> {
  if (endsClientsInMainThread(client.version) || !(await hasIoThreads(client, options))) return;
  const thread = await ioThreadOf(client, disk, options);
  if (thread === '') return;
  const version = textOf(client.version);
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${disk.id} is served by ${thread ?? 'an I/O thread, as far as can be seen'}, and QEMU ${version} may abort, with its guest, ` +
      'when a reader of such a disk disconnects: upgrade to QEMU 8.2.3, 9.0 or newer, or run the disk without I/O thread',
    { disk: disk.id, details: { qemu: version, ioThread: thread } },
  );
}

/** True where a connection to any export may end at any time. */
export function endsClientsInMainThread(version: QemuVersion | undefined): boolean {
  if (version === undefined) return false;
  const { major, minor, micro } = version.qemu;
  return major > 8 || (major === 8 && (minor > 2 || (minor === 2 && micro >= 3)));
}

async function hasIoThreads(client: QmpPort, options: WaitOptions | undefined): Promise<boolean> {
  return (await listObjects(client, options)).some(({ type }) => type === 'child<iothread>');
}

/**
 * QOM path of the thread that serves the disk's device or the controller it hangs on; '' when it is the main loop, null
 * when that cannot be told (an export of a storage daemon may be in any thread).
 */
async function ioThreadOf(
  client: QmpPort,
  { qdevPath }: TrackableDisk,
  options: WaitOptions | undefined,
): Promise<string | null> {
  if (qdevPath === undefined) return null;
  const device = qdevPath.startsWith('/') ? qdevPath : `/machine/peripheral/${qdevPath}`;
  const bus = await propertyOf(client, device, 'parent_bus', options);
  if (bus === null) return null;
  for (const path of [device, ...pathsAbove(bus)]) {
    const thread = await propertyOf(client, path, 'iothread', options);
    if (thread !== null && thread !== '') return thread;
  }
  return '';
}

/** A property that holds a link, as a path; null where there is no such property. */
async function propertyOf(
  client: QmpPort,
  path: string,
  property: string,
  options: WaitOptions | undefined,
): Promise<string | null> {
  try {
    const value = await qmp(client, 'qom-get', { path, property }, options);
    return typeof value === 'string' ? value : null;
  } catch (error) {
    if (error instanceof QmpCommandError) return null;
    throw error;
  }
}

/** '/a/b/c' lies in '/a/b' and '/a'. */
function pathsAbove(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, parts.length - index).join('/')}`);
}

function textOf(version: QemuVersion | undefined): string {
  if (version === undefined) return 'of unknown version';
  const { major, minor, micro } = version.qemu;
  return `${major}.${minor}.${micro}`;
}
