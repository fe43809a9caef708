/** `qemu-cbt vms`: the VMs of this machine, and how far each is tracked. */

import { ofEach } from '../../core/ofEach.js';
import { defaultUri } from '../../host/diskName.js';
import type { SeenDisk, SeenVm } from '../../host/vmLook.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, write, writeJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { errorJson } from '../sourceFlags.js';

export async function vms(io: CliIo, { json = false }: { json?: boolean }): Promise<void> {
  const { lookAt } = await import('../../host/vmLook.js');
  const inventory = inventoryOf(io);
  const { signal } = io;
  const file = (await inventory.file())?.path ?? null;
  // Without a file the domains of the default libvirt are there all the same, where one answers.
  const found = file === null ? await inventory.domainsOf(defaultUri()) : await inventory.vms();
  const listed = file === null ? found.filter(({ unknown }) => !unknown) : found;
  const seen = await ofEach(listed, (vm) => lookAt(vm, { signal }));
  if (json) await writeJson(io, { file, vms: seen.map(vmJson) });
  else if (file === null && seen.length === 0)
    await write(io.stdout, 'no host file: this machine has no VMs by name\n');
  else
    await write(
      io.stdout,
      seen.length === 0 ? `${printable(String(file))} names no VMs\n` : seen.map(describe).join(''),
    );
}

/** A VM as `vms` and `host check` print it. */
export function vmJson({ error, disks, power, named: _, misnamed, ...vm }: SeenVm): object {
  return {
    ...vm,
    state: power,
    disks: disks.map(({ error: failed, why, ...disk }) => ({
      ...disk,
      ...(why !== null && { why }),
      ...(failed !== null && { error: errorJson(failed) }),
    })),
    ...(misnamed.length > 0 && {
      misnamed: misnamed.map(({ name, error: why }) => ({ name, error: errorJson(why) })),
    }),
    ...(error !== null && { error: errorJson(error) }),
  };
}

export function describePower({ power, status }: SeenVm): string {
  if (power === 'unserved') return 'not served by this version';
  return power === 'running' && status !== null && status !== 'running' ? `running (${status})` : power;
}

function describe(seen: SeenVm): string {
  const { name, id, uuid, power, error, disks, misnamed } = seen;
  const why = (power === 'silent' || power === 'running') && error !== null ? `: ${error.message}` : '';
  const known = [id, uuid].filter((one) => one !== null).map((one) => `, ${one}`);
  const lines = [`${name}: ${describePower(seen)}${why}${known.join('')}`];
  for (const disk of disks) {
    const size = disk.sizeBytes === null ? '' : `${formatBytes(disk.sizeBytes)}, `;
    lines.push(`  ${disk.disk}: ${size}${describeDisk(disk)}`);
  }
  for (const { error: wrong } of misnamed) lines.push(`  ${wrong.message}`);
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function describeDisk({ tracking, newest, why, error }: SeenDisk): string {
  if (error !== null) return error.message;
  if (why !== null) return `cannot be tracked: ${why}`;
  const words = {
    untracked: 'not tracked',
    recording: 'tracked',
    overlay: 'tracked below an overlay',
    lost: 'tracking lost',
  };
  const last = newest === null ? '' : `, last point ${newest.pit}`;
  return `${tracking === null ? 'unknown' : words[tracking]}${last}`;
}
