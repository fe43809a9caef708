/**
 * A real qemu-system-x86_64 that boots nothing: for device paths, filters, pause and HMP writes.
 */
import { QemuProcess } from './qemuProcess.js';

/** Starts QEMU, stopped, with TCG, no default devices and 64 MiB; `args` add the disks. */
export function startQemuSystem(args: readonly string[], folder?: string): Promise<QemuProcess> {
  const base = ['-accel', 'tcg', '-nodefaults', '-no-user-config', '-display', 'none', '-m', '64', '-S'];
  return QemuProcess.start({
    program: process.env['QEMU'] ?? 'qemu-system-x86_64',
    args: [...base, ...args],
    chardevOption: '-chardev',
    monitor: (chardev) => ['-mon', `chardev=${chardev},mode=control`],
    folder,
  });
}

/** A line of HMP; what it prints. */
export async function hmp(vm: QemuProcess, line: string): Promise<string> {
  return String(await vm.control.execute('human-monitor-command', { 'command-line': line }));
}

/**
 * A guest write through qemu-io inside QEMU, on a device by QOM path or id: 'write -P 7 0 64k'. QEMU prints what qemu-io
 * says on its own stdout, so only an unknown device is noticed here: check the effect.
 */
export async function guestIo(vm: QemuProcess, qdev: string, command: string): Promise<void> {
  const said = await hmp(vm, `qemu-io -d ${qdev} "${command}"`);
  if (said.trim() !== '') throw new Error(`qemu-io on ${qdev}: ${said}`);
}
