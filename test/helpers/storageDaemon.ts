/**
 * A real qemu-storage-daemon as a VM without a guest: block nodes, bitmaps, transactions, jobs and NBD exports like the
 * system emulator's. Writable NBD exports, made before anything else, stand for the guest.
 */
import { nbdIo, QemuProcess } from './qemuProcess.js';

export interface DaemonDisk {
  /** Node name of the format node. */
  node: string;
  /** Path of the image; relative to the folder. */
  file: string;
  /** 'qcow2' by default. */
  driver?: string;
  /** More options of the format node. */
  options?: Readonly<Record<string, unknown>>;
}

export interface DaemonOptions {
  disks?: readonly DaemonDisk[];
  /** More arguments, before the disks. */
  args?: readonly string[];
  folder?: string;
}

export class StorageDaemon {
  private constructor(readonly process: QemuProcess) {}

  static async start(options: DaemonOptions = {}): Promise<StorageDaemon> {
    const disks = (options.disks ?? []).flatMap(({ node, file, driver = 'qcow2', options: more }) => [
      '--blockdev',
      JSON.stringify({ driver, 'node-name': node, file: { driver: 'file', filename: file }, ...more }),
    ]);
    return new StorageDaemon(
      await QemuProcess.start({
        program: process.env['QEMU_STORAGE_DAEMON'] ?? 'qemu-storage-daemon',
        args: [...(options.args ?? []), ...disks],
        chardevOption: '--chardev',
        monitor: (chardev) => ['--monitor', `chardev=${chardev}`],
        folder: options.folder,
      }),
    );
  }

  get nbdPath(): string {
    return this.process.file('nbd.sock');
  }

  /** Starts the NBD server and exports the nodes for writing, each under its node name. */
  async exportWritable(...nodes: string[]): Promise<void> {
    const { control } = this.process;
    await control.execute('nbd-server-start', { addr: { type: 'unix', data: { path: this.nbdPath } } });
    for (const node of nodes) {
      await control.execute('block-export-add', {
        type: 'nbd',
        id: `guest-${node}`.slice(0, 31),
        'node-name': node,
        name: node,
        writable: true,
      });
    }
  }

  /** Guest I/O by qemu-io commands, on an export made by `exportWritable`. */
  guestIo(node: string, ...commands: string[]): Promise<string> {
    return nbdIo(this.nbdPath, node, commands);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]();
  }
}
