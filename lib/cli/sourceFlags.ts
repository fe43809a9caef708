/** The options that say what a backup command works on: a running VM, or images that no VM uses. */
import { imagesSource } from '../backup/imagesSource.js';
import type { BackupSource } from '../backup/source.js';
import { vmSource } from '../backup/vmSource.js';
import { type CbtError, invalidArgument } from '../core/errors.js';
import type { QuiesceOptions, ScratchOptions, Vm } from '../core/vm.js';
import type { HostVm } from '../host/hostVm.js';
import { openVm } from '../host/openVm.js';
import type { FormatFlags } from './formatOptions.js';
import { type VmFlags, withHostFile } from './inventory.js';
import type { CliIo } from './io.js';
import { parseBytes } from './options.js';
import { printable } from './report.js';

export interface SourceFlags extends FormatFlags {
  vm?: string;
  /** What `vm` names, where that is known already. */
  host?: HostVm;
  disk?: string[];
  nbdSocket?: string;
  json?: boolean;
  quiesce?: boolean;
  agent?: string;
  ownAgent?: boolean;
  scratch?: string;
  scratchPlaces?: readonly string[];
  scratchLimit?: string;
}

/** Runs with the source that the options name, and ends the connection to a VM afterwards. */
export async function withSource<T>(
  io: CliIo,
  images: readonly string[],
  given: SourceFlags,
  work: (source: BackupSource) => Promise<T>,
): Promise<T> {
  checkSource(images, given);
  const { flags, host } = await withHostFile(io, given);
  if (host === null)
    return work(imagesSource(images, { ...formatOf(flags), scratchPlaces: flags.scratchPlaces }));
  const options = {
    disks: flags.disk,
    nbdSocket: flags.nbdSocket,
    quiesce: quiesceOf(flags),
    scratch: scratchOf(flags),
  };
  await using vm = await openSource(images, flags, host, io.signal);
  return await work(vmSource(vm, options));
}

export function checkSource(images: readonly string[], flags: SourceFlags): void {
  if (flags.vm !== undefined && images.length > 0)
    throw invalidArgument('image', images[0], 'left out: --vm names the disks');
  if (flags.vm === undefined && images.length === 0)
    throw invalidArgument('--vm', 'missing', 'a VM, or images as arguments');
  const alone: [string, unknown][] = [
    ['--disk', flags.disk],
    ['--quiesce', flags.quiesce],
    ['--agent', flags.agent],
    ['--scratch', flags.scratch],
    ['--scratch-limit', flags.scratchLimit],
    ['--nbd-socket', flags.nbdSocket],
  ];
  for (const [option, value] of alone)
    if (flags.vm === undefined && value !== undefined)
      throw invalidArgument(option, value, 'left out: it is for a running VM (--vm)');
  requireImages(flags);
}

/** What the images are, as the options say. */
export function formatOf({ format, trust }: FormatFlags): FormatFlags {
  return { ...(format && { format }), ...(trust && { trust }) };
}

/** The VM that `--vm` names, running or off, or the images as one that is off. */
export function openSource(
  images: readonly string[],
  {
    nbdSocket,
    scratch,
    scratchPlaces,
    ...known
  }: FormatFlags & Pick<SourceFlags, 'nbdSocket' | 'scratch' | 'scratchPlaces'>,
  host: HostVm | null,
  signal?: AbortSignal,
): Promise<Vm> {
  return host === null
    ? openVm({ images, ...formatOf(known), scratchPlaces })
    : host.connect({ signal, nbdSocket, scratchFolder: scratch, scratchPlaces });
}

/** A QEMU that runs knows its images: nothing is left to say about them. */
export function requireImages({ vm, format, trust }: FormatFlags & { vm?: string }): void {
  for (const [option, value] of Object.entries({ '--format': format, '--trust': trust }))
    if (vm !== undefined && value !== undefined)
      throw invalidArgument(option, value, 'left out: the VM’s configuration says what its images are');
}

/** How the guest is quiesced, where that is asked for. */
export function quiesceOf({ quiesce, agent, ownAgent }: VmFlags): QuiesceOptions | undefined {
  if (!quiesce) return undefined;
  if (agent === undefined && !ownAgent)
    throw invalidArgument('--agent', 'missing', 'the guest agent’s socket, which --quiesce needs');
  return { agentSocket: agent };
}

function scratchOf({ scratch: folder, scratchLimit }: SourceFlags): ScratchOptions {
  const limitBytes = scratchLimit === undefined ? undefined : parseBytes('--scratch-limit', scratchLimit);
  return { folder, limitBytes };
}

/** An error in a result object, as every command prints it. */
export function errorJson({ code, reason, message }: CbtError): object {
  return { code, reason: reason ?? null, message };
}

export function errorLine(disk: string, error: CbtError): string {
  const where = error.message.includes(disk) ? '' : `${disk}: `;
  const reason = error.reason === undefined ? '' : ` [${error.reason}]`;
  return `error[${error.code}] ${printable(where + error.message)}${reason}\n`;
}
