/**
 * Disks that are being read over HTTPS: opened once however many requests read, closed when nobody has for a while, and before
 * what keeps them readable ends. What is read is handed out only when it is known to be of the instant that it is said to be of.
 */
import type { DiskData } from '../../../core/diskData.js';
import { resumeSnapshot } from '../../../facade/vsphere/content.js';
import { invalidArgument } from '../../../facade/vsphere/faults.js';
import type { VirtualMachine, VirtualMachineSnapshot } from '../../../facade/vsphere/index.js';
import { openData } from '../../../host/data.js';

/** A disk's bytes at an instant. */
export interface OpenDisk {
  data: DiskData;
  /** Throws where they may not be those of the instant. */
  check(): Promise<void>;
  close(): Promise<void>;
}

interface Shared {
  vm: string;
  opened: Promise<OpenDisk>;
  users: number;
  idle: NodeJS.Timeout | null;
  /** Fires when it is closed under those that read. */
  ending: AbortController;
}

const IDLE_MS = 10_000;
const CONNECTIONS = 4;

/** The readers of a service. */
export class Readers {
  readonly #shared = new Map<string, Shared>();

  /** Works with a disk of a VM: of its newest snapshot where it has one, else as it is while it is off. */
  async use<T>(
    vm: VirtualMachine,
    disk: string,
    work: (opened: OpenDisk, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const snapshot = vm.snapshot?.currentSnapshot ?? null;
    const key = `${vm.value} ${snapshot?.value ?? ''} ${disk}`;
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      shared = {
        vm: vm.value,
        opened: open(vm, snapshot, disk),
        users: 0,
        idle: null,
        ending: new AbortController(),
      };
      this.#shared.set(key, shared);
    }
    if (shared.idle !== null) clearTimeout(shared.idle);
    shared.idle = null;
    shared.users += 1;
    try {
      return await work(await shared.opened, shared.ending.signal);
    } catch (error) {
      // What failed once is not shared on.
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      throw error;
    } finally {
      shared.users -= 1;
      if (shared.users === 0) {
        if (this.#shared.get(key) !== shared) await close(shared);
        else shared.idle = setTimeout(() => void this.#drop(key), IDLE_MS).unref();
      }
    }
  }

  /** Closes what is open of a VM, under those that read too: before its snapshots go, and before the service ends. */
  async closeOf(vm?: string): Promise<void> {
    const ended = [...this.#shared].filter(([, shared]) => vm === undefined || shared.vm === vm);
    await Promise.all(ended.map(([key]) => this.#drop(key)));
  }

  async #drop(key: string): Promise<void> {
    const shared = this.#shared.get(key);
    if (shared === undefined) return;
    this.#shared.delete(key);
    if (shared.idle !== null) clearTimeout(shared.idle);
    shared.ending.abort(new Error('the disk is not to be read any more'));
    await close(shared);
  }
}

/** What was read was checked then: that it cannot be closed in order, its snapshot being gone, spoils nothing. */
async function close({ opened }: Shared): Promise<void> {
  await opened.then((disk) => disk.close()).catch(() => undefined);
}

async function open(
  vm: VirtualMachine,
  snapshot: VirtualMachineSnapshot | null,
  disk: string,
): Promise<OpenDisk> {
  const connected = await vm.context.open();
  try {
    if (snapshot !== null) {
      const session = await resumeSnapshot(connected, snapshot.record);
      snapshot.requireDiskOf(session, disk);
      const data = await session.openData(disk, { connections: CONNECTIONS });
      const check = () => session.check(disk);
      return { data, check, close: () => data.close().finally(() => connected.close()) };
    }
    const [info] = await connected.disks({ disks: [disk] });
    if (connected.running || info?.filename === undefined)
      throw invalidArgument('disk', `${disk} of a VM that runs is read from a snapshot`);
    const file = { kind: 'qemu-nbd', file: info.filename, format: 'qcow2', readOnly: true } as const;
    const data = await openData(file, { connections: CONNECTIONS });
    await connected.close();
    return { data, check: () => Promise.resolve(), close: () => data.close() };
  } catch (error) {
    await connected.close();
    throw error;
  }
}
