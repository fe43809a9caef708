/** The VMs of the host file as the command's options name them. */
import type { HostVm } from '../host/hostVm.js';
import { Inventory } from '../host/inventory.js';
import type { CliIo } from './io.js';

/** The inventory that `--host`, or the environment, names; nothing is read before it is asked. */
export function inventoryOf(io: CliIo): Inventory {
  return new Inventory({ file: io.hostFile, env: io.env });
}

/** What a VM is reached by, and what the host file says of it where no option does. */
export interface VmFlags {
  vm?: string;
  /** The VM itself, where it is known already. */
  host?: HostVm;
  disk?: string[] | undefined;
  agent?: string;
  quiesce?: boolean;
  /** Whoever runs the VM has the guest's agent: no socket of it is to be named. */
  ownAgent?: boolean;
  scratch?: string;
  /** Where sessions of the host file's VMs put their files. */
  scratchPlaces?: readonly string[];
  scratchUnwatched?: boolean;
  nbdSocket?: string;
}

/** The VM that `--vm` names (null: images are), and the options with the host file's words where none were given. */
export async function withHostFile<Flags extends VmFlags>(
  io: CliIo,
  flags: Flags,
): Promise<{ flags: Flags; host: HostVm | null }> {
  const inventory = inventoryOf(io);
  // Images that are named alone may be those of such a VM.
  const scratchPlaces = await inventory.scratchPlaces();
  if (flags.vm === undefined) return { flags: { ...flags, scratchPlaces }, host: null };
  const vm = flags.host ?? (await inventory.require(flags.vm, { signal: io.signal }));
  const { entry } = vm;
  const said: VmFlags = {
    scratchPlaces,
    ...(entry.disks !== undefined && { disk: [...entry.disks] }),
    ...(entry.scratchFolder !== undefined && { scratch: entry.scratchFolder }),
    ...(entry.allowUnwatchedScratch !== undefined && { scratchUnwatched: entry.allowUnwatchedScratch }),
    ...(entry.nbdSocket !== undefined && { nbdSocket: entry.nbdSocket }),
    ...(flags.quiesce && entry.agentSocket !== undefined && { agent: entry.agentSocket }),
    ...(entry.libvirt !== undefined && { ownAgent: true }),
  };
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  return { flags: { ...flags, ...said, ...given }, host: vm };
}
