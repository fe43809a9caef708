/**
 * A real Linux in a real QEMU: boots in seconds, mounts its disks as /mnt/<name>, runs the real guest agent, and does what
 * a test tells it over a port of its own.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Exit, makeFolder, QemuProcess } from '../qemuProcess.js';
import { chooseAccelerator } from './accelerator.js';
import { ControlPort } from './controlPort.js';
import { makeInitramfs } from './initramfs.js';
import { guestFiles, kernelRelease } from './packages.js';

export interface GuestDisk {
  /** Node name in QEMU, serial number in the guest, and folder there: /mnt/<name>. */
  name: string;
  /** A qcow2 image with an ext4 file system on it; see `makeGuestDisk`. */
  file: string;
}

export interface GuestOptions {
  disks: readonly GuestDisk[];
  /** Gives every disk an I/O thread of its own. */
  iothreads?: boolean;
  /** Milliseconds until the guest must be up; 120 000 unless given. */
  bootTimeoutMs?: number;
}

const QEMU = process.env['QEMU'] ?? 'qemu-system-x86_64';
const MEMORY_MIB = 256;

export class Guest {
  private constructor(
    /** The QEMU that it runs in. */
    readonly vm: QemuProcess,
    private readonly control: ControlPort,
  ) {}

  static async boot(options: GuestOptions): Promise<Guest> {
    const files = await guestFiles();
    const folder = await makeFolder();
    const control = await ControlPort.listen(path.join(folder, 'control.sock'));
    try {
      await writeFile(path.join(folder, 'initramfs'), await makeInitramfs(files, folder));
      const vm = await QemuProcess.start({
        // However a test ends, the guest does not outlive it.
        program: 'setpriv',
        args: ['--pdeathsig', 'KILL', QEMU, ...(await machine(files)), ...disksOf(options)],
        chardevOption: '-chardev',
        monitor: (chardev) => ['-mon', `chardev=${chardev},mode=control`],
        folder,
      });
      const guest = new Guest(vm, control);
      void vm.ended.then(async ({ stderr }) =>
        control.fail(`the guest ended: ${await guest.said()}${stderr}`),
      );
      try {
        await control.ready(options.bootTimeoutMs ?? 120_000);
        return guest;
      } catch (error) {
        await guest[Symbol.asyncDispose]();
        throw error;
      }
    } catch (error) {
      await control.close();
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** The guest agent's socket. */
  get agentSocket(): string {
    return this.vm.file('agent.sock');
  }

  /** Runs shell commands in the guest; what they print, without line feeds at its end. Throws when the last one fails. */
  run(commands: string, timeoutMs?: number): Promise<string> {
    return this.control.run(commands, timeoutMs);
  }

  /** Starts a command in the guest and leaves it running; what it says goes to the console. */
  async start(command: string): Promise<void> {
    await this.run(`${command} >/dev/ttyS0 2>&1 &`);
  }

  /** Waits until a writer (see writer.c) has done so many steps more, from this moment on; the number of its last. */
  async progress(writer: 'ordered' | 'churn', steps: number): Promise<number> {
    return Number(await this.run(`writer wait ${writer} ${steps}`));
  }

  /** Shuts the guest down in good order, which ends QEMU in good order. */
  async powerOff(): Promise<Exit> {
    const answer = await this.control.run('shut-down').then(
      (said) => `the guest did not shut down: ${said}`,
      (error: Error) => error.message,
    );
    if (this.vm.child.exitCode === null) throw new Error(answer);
    return this.vm.ended;
  }

  /** The end of what the guest said on its console. */
  private async said(): Promise<string> {
    const text = await readFile(this.vm.file('console.log'), 'utf8').catch(() => '');
    return text.slice(-2000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vm[Symbol.asyncDispose]();
    await this.control.close();
    await rm(this.vm.folder, { recursive: true, force: true });
  }
}

async function machine(files: string): Promise<string[]> {
  return [
    ...['-accel', await chooseAccelerator(), '-cpu', 'max', '-m', String(MEMORY_MIB)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', path.join(files, 'boot', `vmlinuz-${await kernelRelease(files)}`), '-initrd', 'initramfs'],
    // A panic restarts at once, and a restart ends QEMU.
    ...['-append', 'console=ttyS0 quiet panic=-1 no_timer_check'],
    ...['-serial', 'file:console.log', '-device', 'virtio-serial-pci'],
    ...['-chardev', 'socket,id=agent,path=agent.sock,server=on,wait=off'],
    ...['-device', 'virtserialport,chardev=agent,name=org.qemu.guest_agent.0'],
    ...['-chardev', 'socket,id=control,path=control.sock'],
    ...['-device', 'virtserialport,chardev=control,name=control'],
  ];
}

function disksOf({ disks, iothreads }: GuestOptions): string[] {
  return disks.flatMap(({ name, file }) => {
    // Without flushes the host's disk sets no pace; all but a crash of the host is as before.
    const cache = { 'no-flush': true };
    const image = { driver: 'file', filename: path.resolve(file), discard: 'unmap', cache };
    const node = { driver: 'qcow2', 'node-name': name, file: image, discard: 'unmap', cache };
    const device = `virtio-blk-pci,id=disk-${name},drive=${name},serial=${name}`;
    if (!iothreads) return ['-blockdev', JSON.stringify(node), '-device', device];
    return [
      ...['-blockdev', JSON.stringify(node), '-object', `iothread,id=io-${name}`],
      ...['-device', `${device},iothread=io-${name}`],
    ];
  });
}
