/** `qemu-cbt backup --all`: a run of every VM of the host file, each into a folder of its own. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidArgument, throwIfAborted } from '../../core/errors.js';
import type { HostVm } from '../../host/hostVm.js';
import { exitCodeOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { printable, toCbtError } from '../report.js';
import { errorJson, errorLine } from '../sourceFlags.js';
import { type BackupFlags, backupOnce } from './backup.js';

/** One VM that fails stops no other; the exit code is the worst. Cancelled, the rest is left. */
export async function backupAll(io: CliIo, images: readonly string[], flags: BackupFlags): Promise<number> {
  refuse('image', images[0]);
  for (const option of ['vm', 'disk', 'as', 'agent', 'nbdSocket', 'mapSvg', 'format', 'trust'] as const)
    refuse(`--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, flags[option]);
  const vms = await inventoryOf(io).vms();
  if (vms.length === 0) throw invalidArgument('--all', 'no VM', 'a host file that names VMs (--host)');
  await mkdir(flags.to, { recursive: true });
  const told: object[] = [];
  let worst = 0;
  for (const vm of vms) {
    throwIfAborted(io.signal);
    const to = join(flags.to, vm.name);
    if (!flags.json) await tell(io, `${printable(vm.name)}:\n`);
    const { json, exitCode } = await backupOne(io, vm, { ...flags, to });
    told.push({ vm: vm.name, to, ...json });
    worst = Math.max(worst, exitCode);
  }
  if (flags.json) await tellJson(io, { vms: told });
  return worst;
}

async function backupOne(
  io: CliIo,
  vm: HostVm,
  { all: _, ...flags }: BackupFlags,
): Promise<{ json: object; exitCode: number }> {
  try {
    return await backupOnce(io, [], { ...flags, vm: vm.name, host: vm });
  } catch (thrown) {
    const error = toCbtError(thrown);
    if (io.signal.aborted) throw error;
    if (!flags.json) io.stderr.write(errorLine(vm.name, error));
    return { json: { error: errorJson(error) }, exitCode: exitCodeOf(error) };
  }
}

function refuse(option: string, given: unknown): void {
  if (given !== undefined)
    throw invalidArgument(option, given, 'left out: --all takes every VM as the host file says');
}
