/** `qemu-cbt backup --all`: a run of every VM of the host file, or of every domain of a libvirt, each into a folder of its own. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readMark } from '../../backup/mark.js';
import { invalidArgument, throwIfAborted } from '../../core/errors.js';
import { parseLibvirtItself } from '../../host/diskName.js';
import type { HostVm } from '../../host/hostVm.js';
import { exitCodeOf, worseOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { printable, toCbtError } from '../report.js';
import { errorJson, errorLine } from '../sourceFlags.js';
import { type BackupFlags, backupOnce } from './backup.js';

/** One VM that fails stops no other; the exit code is the worst. Cancelled, the rest is left. */
export async function backupAll(io: CliIo, images: readonly string[], flags: BackupFlags): Promise<number> {
  refuse('image', images[0]);
  const uri = flags.vm === undefined ? null : parseLibvirtItself(flags.vm);
  if (uri === null) refuse('--vm', flags.vm);
  for (const option of ['disk', 'as', 'agent', 'nbdSocket', 'mapSvg', 'format', 'trust'] as const)
    refuse(`--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`, flags[option]);
  const inventory = inventoryOf(io);
  const vms = uri === null ? await inventory.vms() : await inventory.domainsOf(uri);
  if (vms.length === 0)
    throw invalidArgument('--all', 'no VM', 'a host file that names VMs (--host), or libvirt:<uri> (--vm)');
  await mkdir(flags.to, { recursive: true });
  const folderOf = await foldersIn(flags.to, vms);
  const told: object[] = [];
  let worst = 0;
  for (const vm of vms) {
    throwIfAborted(io.signal);
    const to = join(flags.to, folderOf(vm));
    if (!flags.json) await tell(io, `${printable(vm.name)}:\n`);
    const { json, exitCode } = await backupOne(io, vm, { ...flags, to });
    told.push({ vm: vm.name, to, ...json });
    worst = worseOf(worst, exitCode);
  }
  if (flags.json) await tellJson(io, { vms: told });
  return worst;
}

/** A name that is an address has what no name of a folder can have. */
export function folderNameOf(name: string): string {
  return name.includes('/') ? encodeURIComponent(name) : name;
}

/**
 * Which folder is a VM's: that of its name, or, of a domain that was renamed, the one whose backups are of its UUID. A name that another VM has
 * now is that one's, and what cannot be told is left to names: a copy may have the UUID too.
 */
export async function foldersIn(folder: string, vms: readonly HostVm[]): Promise<(vm: HostVm) => string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const there = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const owned = new Map<string, string[]>();
  for (const name of there) {
    const mark = await readMark(join(folder, name)).catch(() => null);
    const [owner, another] = mark?.owners ?? [];
    if (owner?.kind === 'vm' && owner.uuid !== null && another === undefined)
      owned.set(owner.uuid, [...(owned.get(owner.uuid) ?? []), name]);
  }
  const names = new Set(vms.map(({ name }) => folderNameOf(name)));
  return ({ name, entry }) => {
    const own = folderNameOf(name);
    if (there.includes(own) || entry.libvirt === undefined || entry.uuid === undefined) return own;
    const [found, second] = owned.get(entry.uuid) ?? [];
    return found === undefined || second !== undefined || names.has(found) ? own : found;
  };
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
    throw invalidArgument(
      option,
      given,
      'left out: --all takes every VM as the host file, or its libvirt, says',
    );
}
