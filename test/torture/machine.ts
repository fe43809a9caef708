/** The QEMU of a VM's life: a storage daemon as a rule, the system emulator where only that one can; its guest writes over NBD. */
import { mkdir } from 'node:fs/promises';
import { NbdConnection } from '../../lib/backend/nbd/nbdConnection.js';
import type { QemuProcess } from '../helpers/qemuProcess.js';
import { startQemuSystem } from '../helpers/qemuSystem.js';
import { StorageDaemon } from '../helpers/storageDaemon.js';

export interface MachineDisk {
  name: string;
  file: string;
}

export class Machine {
  readonly #guests = new Map<string, NbdConnection>();

  private constructor(
    readonly process: QemuProcess,
    private readonly disks: readonly MachineDisk[],
    private readonly nodes: (name: string) => string,
    /** It can go on elsewhere. */
    readonly migrates: boolean,
  ) {}

  /** With sockets in the folder: the same ones at every start, as a VM's are. */
  static async storageDaemon(folder: string, disks: readonly MachineDisk[]): Promise<Machine> {
    await mkdir(folder, { recursive: true });
    const named = disks.map(({ name, file }) => ({ node: name, file }));
    const daemon = await StorageDaemon.start({ folder, disks: named });
    const machine = new Machine(daemon.process, disks, (name) => name, false);
    await machine.serve();
    return machine;
  }

  /** A VM with devices, stopped before its first instruction; `incoming`: it waits for one that comes from elsewhere. */
  static async system(
    folder: string,
    disks: readonly MachineDisk[],
    { incoming = false } = {},
  ): Promise<Machine> {
    await mkdir(folder, { recursive: true });
    const devices = disks.flatMap(({ name, file }) => [
      '-blockdev',
      `qcow2,node-name=node-${name},file.driver=file,file.filename=${file}`,
      '-device',
      `virtio-blk-pci,drive=node-${name},id=${name},share-rw=on`,
    ]);
    const process = await startQemuSystem([...devices, ...(incoming ? ['-incoming', 'defer'] : [])], folder);
    const machine = new Machine(process, disks, (name) => `node-${name}`, true);
    if (!incoming) await machine.serve();
    return machine;
  }

  get nbdPath(): string {
    return this.process.file('nbd.sock');
  }

  /** The node of a disk when the machine started. */
  node(name: string): string {
    return this.nodes(name);
  }

  /** What a guest's disk is written through. */
  async guest(name: string): Promise<NbdConnection> {
    const known = this.#guests.get(name);
    if (known !== undefined) return known;
    const guest = await NbdConnection.open({ kind: 'unix', path: this.nbdPath, exportName: name });
    this.#guests.set(name, guest);
    return guest;
  }

  /** A session of ours stands between a disk and its guest: others keep off the disk until it is ended. */
  async inSession(): Promise<boolean> {
    const nodes = (await this.process.control.execute('query-named-block-nodes', { flat: true })) as {
      'node-name': string;
    }[];
    return nodes.some((node) => node['node-name'].startsWith('cbt'));
  }

  /** Guests see a size only when they look anew. */
  async resize(name: string, sizeBytes: number): Promise<void> {
    await this.#withdraw(name);
    const { control } = this.process;
    await control
      .execute('block_resize', { 'node-name': this.node(name), size: sizeBytes })
      .finally(() => this.#offer(name, this.node(name)));
  }

  /** Somebody else puts an overlay on a disk: the guest writes to that. */
  async putOverlay(name: string, file: string, node: string): Promise<void> {
    const { control } = this.process;
    const overlay = {
      driver: 'qcow2',
      'node-name': node,
      backing: null,
      file: { driver: 'file', filename: file },
    };
    await control.execute('blockdev-add', overlay);
    await control.execute('blockdev-snapshot', { node: this.node(name), overlay: node });
  }

  /** … and commits it back. */
  async commitOverlay(name: string, node: string): Promise<void> {
    const { control } = this.process;
    const job = `theirs-${name}`;
    const ready = control.waitEvent(
      ({ event, data }) => event === 'BLOCK_JOB_READY' && data?.['device'] === job,
    );
    await control.execute('block-commit', { 'job-id': job, device: node });
    await ready;
    const done = control.waitEvent(
      ({ event, data }) => event === 'BLOCK_JOB_COMPLETED' && data?.['device'] === job,
    );
    await control.execute('block-job-complete', { device: job });
    await done;
    await control.execute('blockdev-del', { 'node-name': node });
  }

  /** Gives the disks over to a machine that waits for them; this one has them no more. */
  async migrateTo(target: Machine): Promise<void> {
    for (const { name } of this.disks) await this.#withdraw(name);
    await this.process.control.execute('nbd-server-stop');
    const uri = `unix:${target.process.file('incoming.sock')}`;
    await target.process.control.execute('migrate-incoming', { uri });
    await this.process.control.execute('migrate', { uri });
    for (const { control } of [this.process, target.process]) {
      let status = '';
      while (status !== 'completed') {
        ({ status = '' } = (await control.execute('query-migrate')) as { status?: string });
        if (status === 'failed')
          throw new Error(`migration: ${JSON.stringify(await control.execute('query-migrate'))}`);
      }
    }
    await target.serve();
  }

  /** A clean end: bitmaps are stored. */
  async stop(): Promise<void> {
    await this.#closeGuests();
    await this.process.terminate();
    await this.process[Symbol.asyncDispose]();
  }

  async kill(): Promise<void> {
    await this.process.kill();
    await this.#closeGuests();
    await this.process[Symbol.asyncDispose]();
  }

  /** Exports the disks to its guest. */
  async serve(): Promise<void> {
    const addr = { type: 'unix', data: { path: this.nbdPath } };
    await this.process.control.execute('nbd-server-start', { addr });
    for (const { name } of this.disks) await this.#offer(name, this.node(name));
  }

  async #offer(name: string, node: string): Promise<void> {
    const names = { id: `guest-${name}`, 'node-name': node, name };
    await this.process.control.execute('block-export-add', { type: 'nbd', ...names, writable: true });
  }

  async #withdraw(name: string): Promise<void> {
    await this.#guests.get(name)?.close();
    this.#guests.delete(name);
    const { control } = this.process;
    const id = `guest-${name}`;
    const gone = control.waitEvent(
      ({ event, data }) => event === 'BLOCK_EXPORT_DELETED' && data?.['id'] === id,
    );
    await control.execute('block-export-del', { id, mode: 'hard' });
    await gone;
  }

  async #closeGuests(): Promise<void> {
    for (const guest of this.#guests.values()) await guest.close().catch(() => undefined);
    this.#guests.clear();
  }
}
