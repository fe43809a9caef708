/** Where the QEMU behind a QMP socket runs, seen by the process that listens there; and how to connect to it. */
import { chown, lstat, readdir, readFile, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CbtError } from '../../core/errors.js';
import type { SessionMode } from '../../core/session.js';
import { onFile } from '../../linux/fileFault.js';
import { listenerAt } from '../../linux/listeners.js';
import { pathWithoutLinks } from '../../linux/pathWithoutLinks.js';
import type { WaitOptions } from '../../linux/waiting.js';
import { listObjects } from './graph/objects.js';
import { listDisks } from './graph/vmDisks.js';
import { thawLeft } from './guest/guestFreeze.js';
import { PlainHost } from './plainHost.js';
import type { RecordedVm } from './qemuHost.js';
import { firstClosed, placeOf, resolveNames, seesTheSame } from './qemuPlace.js';
import { qmp } from './qmp/commands.js';
import { QmpClient, type QmpOptions } from './qmp/qmpClient.js';
import type { QmpPort } from './qmp/qmpPort.js';
import { vmUuid } from './vmUuid.js';
import type { WayToQemu } from './wayToQemu.js';

/** The way through a QMP socket at a path of this machine. */
export class SocketWay implements WayToQemu {
  constructor(readonly address: string) {}

  /** One monitor by whatever path its socket is named. */
  async identity(): Promise<string> {
    return pathWithoutLinks(this.address);
  }

  /** The port knows where its QEMU runs. */
  async connect(options: QmpOptions = {}): Promise<QmpClient> {
    const { timeoutMs, signal } = options;
    const startedAt = Date.now();
    const left = (): number | undefined => timeoutMs && Math.max(1, timeoutMs - (Date.now() - startedAt));
    const host = (port: QmpPort): Promise<SocketHost> =>
      SocketHost.behind(this.address, port, { timeoutMs: left(), signal });
    return QmpClient.connect(this.address, { ...options, host });
  }

  thawLeft(agent: string, signal?: AbortSignal): Promise<boolean> {
    return thawLeft(agent, signal);
  }
}

export class SocketHost extends PlainHost {
  private readonly socket: string;
  private readonly port: QmpPort;

  /** `address`: as records keep it; the socket unless given. */
  protected constructor(of: { key: string; socket: string; port: QmpPort; address?: string }) {
    super(of.key, of.address ?? path.resolve(of.socket));
    this.socket = of.socket;
    this.port = of.port;
  }

  /**
   * The VM's key is its UUID, which all its monitors tell. One that has none (a storage daemon has none ever) is known by this
   * monitor, whatever path leads there.
   */
  static async behind(socket: string, port: QmpPort, options?: WaitOptions): Promise<SocketHost> {
    const uuid = await vmUuid(port, options);
    return new SocketHost({ key: uuid ?? pathWithoutLinks(socket), socket, port });
  }

  /**
   * Two VMs may have been started with one UUID, as clones are: where a record has our key and another monitor, and another
   * QEMU listens there, it is that one's.
   */
  override async isOf({ key, vm }: RecordedVm): Promise<boolean> {
    const itsMonitor = pathWithoutLinks(vm) === pathWithoutLinks(this.socket);
    if (key === undefined || key !== this.key) return key === undefined && itsMonitor;
    return itsMonitor || !(await this.#isAnother(vm));
  }

  /** A second monitor of a VM that libvirt runs: it would start and migrate the VM from the image below the overlay. */
  override async refuseMode(mode: SessionMode): Promise<void> {
    if (mode !== 'overlay') return;
    if (await isLibvirts(this.port)) throw unsafeOverlay(this.port.name);
  }

  override async isAnothersServer(socket: string): Promise<boolean> {
    return this.#isAnother(socket);
  }

  override async placesToSearch(signal?: AbortSignal): Promise<string[]> {
    const images = (await listDisks(this.port, { signal })).flatMap(({ filename }) => filename ?? []);
    const beside = images.filter((image) => image.startsWith('/')).map((image) => path.dirname(image));
    return [...new Set([...(await super.placesToSearch(signal)), ...beside])];
  }

  override async own(folder: string): Promise<void> {
    const place = await placeOf(this.socket);
    if (place !== null && (await seesTheSame(place, folder)) === false) {
      const parent = path.dirname(folder);
      await rmdir(folder).catch(() => undefined);
      throw new CbtError(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        `QEMU (process ${place.pid}) has other files at ${parent} than this command has, as in a container: name a folder that both have under the same path (--scratch)`,
        { details: { folder: parent } },
      );
    }
    // It must be QEMU's, or QEMU could not enter it.
    const seen = place && { uid: place.uid, gid: place.gids[0] ?? 0 };
    const owner = seen ?? (await this.ownerElsewhere());
    if (owner !== null && process.getuid?.() === 0 && owner.uid !== 0)
      await onFile(folder, 'giving it to QEMU’s user', () => chown(folder, owner.uid, owner.gid));
    await super.own(folder);
  }

  /** Whom QEMU runs as where its process is not seen: the monitor's socket belongs to him, as a rule. */
  protected async ownerElsewhere(): Promise<{ uid: number; gid: number } | null> {
    return stat(this.socket).catch(() => null);
  }

  override async firstClosed(folder: string): Promise<{ folder: string; uid: number } | null> {
    const place = await placeOf(this.socket);
    const closed = place && (await firstClosed(folder, place));
    return place === null || closed === null ? null : { folder: closed, uid: place.uid };
  }

  override async has(file: string): Promise<boolean> {
    const pid = (await placeOf(this.socket))?.pid ?? 'self';
    return (await lstat(`/proc/${pid}/root${file}`).catch(() => null)) !== null;
  }

  override async pathsOf(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return resolveNames(this.socket, names);
  }

  override async isReplaced(file: string): Promise<boolean> {
    const place = await placeOf(this.socket);
    if (place === null || !file.startsWith('/')) return false;
    const there = await stat(`/proc/${place.pid}/root${file}`, { bigint: true }).catch(() => null);
    const fds = await readdir(`/proc/${place.pid}/fd`).catch(() => []);
    if (there === null || fds.length === 0) return false;
    const open = await Promise.all(
      fds.map((fd) => stat(`/proc/${place.pid}/fd/${fd}`, { bigint: true }).catch(() => null)),
    );
    return !open.some((info) => info?.dev === there.dev && info.ino === there.ino);
  }

  /** Only what is seen counts: a QEMU listens there, so does one here, and they are two. What passes a monitor on is none. */
  async #isAnother(socket: string): Promise<boolean> {
    const [its, ours] = await Promise.all([socket, this.socket].map(qemuAt));
    return its != null && ours != null && its !== ours;
  }
}

/** libvirt gives each of its QEMUs this key, also one whose disks it knows nothing of. */
async function isLibvirts(port: QmpPort): Promise<boolean> {
  if ((await listObjects(port)).some(({ name }) => name === 'masterKey0')) return true;
  const nodes = await qmp(port, 'query-named-block-nodes', { flat: true });
  return nodes.some((node) => /^libvirt-\d+-(format|storage)$/.test(node['node-name'] ?? ''));
}

/** libvirt's XML goes on naming the image below. */
export function unsafeOverlay(name: string): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `overlay mode would lose what the guest of ${name} writes: libvirt does not know of the overlay, and starts and migrates the VM from the image below it. Use fleece mode`,
    { details: { vm: name, mode: 'overlay' } },
  );
}

/** The QEMU that listens at this socket; null where none is seen. */
async function qemuAt(socket: string): Promise<number | null> {
  const pid = await listenerAt(socket);
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name.startsWith('qemu') ? pid : null;
}
