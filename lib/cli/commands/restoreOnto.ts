/** `qemu-cbt restore --onto`: images that are there become what disks were at a run; only what differs is written. */

import { stat } from 'node:fs/promises';
import type { OntoImage } from '../../backup/ontoDisks.js';
import { runNamed } from '../../backup/reading.js';
import { type RestoredOnto, restoreOnto } from '../../backup/restoreOnto.js';
import { CbtError, invalidArgument, retold } from '../../core/errors.js';
import type { Vm, VmDiskInfo } from '../../core/vm.js';
import { defaultUri, parseDiskName, parseVmName } from '../../host/diskName.js';
import type { HostVm } from '../../host/hostVm.js';
import { exitCodeOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { errorJson, errorLine } from '../sourceFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface RestoreOntoFlags {
  from: string;
  onto: string;
  pit?: string;
  disk?: string;
  format?: 'raw' | 'qcow2';
  trust?: boolean;
  force?: boolean;
  json?: boolean;
}

export async function restoreOntoCommand(io: CliIo, flags: RestoreOntoFlags): Promise<number> {
  const { from, pit, force, json = false } = flags;
  const { vm, disk } = await findOnto(io, flags.onto);
  const work = async (onto: readonly OntoImage[]): Promise<number> => {
    const bar = new TransferProgress(io, 'restore', { json });
    const scratchPlaces = await inventoryOf(io).scratchPlaces();
    const libvirts = await libvirtsOf(io, vm);
    const options = {
      from,
      onto,
      at: runNamed(pit),
      force,
      libvirts,
      scratchPlaces,
      signal: io.signal,
      onProgress: bar.update,
      onWarning: (warning: string) => warn(io, warning),
    };
    const { run, pit: of, disks } = await restoreOnto(options).finally(() => bar.end());
    return tellDisks(io, { run, pit: of, disks }, json);
  };
  if (vm === null) {
    const { format, trust } = flags;
    return work([{ image: flags.onto, disk: flags.disk, format, trust }]);
  }
  for (const option of ['format', 'trust'] as const)
    if (flags[option] !== undefined)
      throw invalidArgument(
        `--${option}`,
        flags[option],
        'left out: the VM’s configuration says what its images are',
      );
  const only = disk ?? flags.disk;
  return vm.changing('restore', async () =>
    work(await imagesOf(io, vm, only === undefined ? undefined : [only])),
  );
}

/** The libvirts of the host file, the VM’s own, and the usual one where it answers. */
async function libvirtsOf(io: CliIo, vm: HostVm | null): Promise<string[]> {
  const inventory = inventoryOf(io);
  const call = { signal: io.signal };
  const usual = (await inventory.domainsOf(defaultUri(io.env), call)).filter(({ unknown }) => !unknown);
  const vms = [...(vm === null ? [] : [vm]), ...(await inventory.vms(call)), ...usual];
  const uris = vms.flatMap(({ entry: { libvirt }, served }) =>
    libvirt === undefined || !served ? [] : [libvirt.slice(0, libvirt.indexOf('#'))],
  );
  return [...new Set(uris)];
}

/** A VM that is off, a disk of one, or (no VM) an image. */
async function findOnto(io: CliIo, name: string): Promise<{ vm: HostVm | null; disk: string | undefined }> {
  const inventory = inventoryOf(io);
  const call = { signal: io.signal };
  const parsed = name.includes('#') || name.includes(':') ? parseDiskName(name) : parseVmName(name);
  if (parsed.kind === 'path') return { vm: null, disk: undefined };
  if (parsed.disk === '') {
    const vm = await inventory.find(name, call).catch(asOnto);
    // A plain name that is no VM’s is that of a file here: an image, where it is no socket.
    const isImage = parsed.kind === 'vm' && vm?.entry.qmpSocket === name && !(await isSocket(name));
    return { vm: isImage ? null : vm, disk: undefined };
  }
  const found = await inventory.findDisk(name, call).catch(asOnto);
  return 'path' in found ? { vm: null, disk: undefined } : found;
}

async function isSocket(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isSocket(),
    () => false,
  );
}

/** Told of the option that was given. */
function asOnto(error: unknown): never {
  if (!(error instanceof CbtError)) throw error;
  const message = error.message.replace(/^(--vm|disk)\b/, '--onto');
  throw retold(error, { message });
}

async function imagesOf(io: CliIo, host: HostVm, disks: readonly string[] | undefined): Promise<OntoImage[]> {
  const call = { signal: io.signal };
  await using vm: Vm = await host.connect(call);
  if (vm.running)
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `VM ${host.name} is running: shut it down first, or restore into new files (--to-folder)`,
      { reason: 'BUSY' },
    );
  const named = disks ?? host.entry.disks;
  const found = await vm.disks({ ...call, ...(named !== undefined && { disks: named }) });
  return found.map(imageOf);
}

function imageOf({ disk, filename, format, trackable, why }: VmDiskInfo): OntoImage {
  if (filename === undefined)
    throw new CbtError('ERR_CBT_UNSUPPORTED', `${disk} cannot be written: ${why ?? 'it has no image here'}`, {
      disk,
    });
  const known = format === 'qcow2' || format === 'raw' ? format : undefined;
  return { image: filename, otherwise: disk, ...(trackable && known && { format: known }) };
}

async function tellDisks(
  io: CliIo,
  { run, pit, disks }: { run: number; pit: string; disks: readonly RestoredOnto[] },
  json: boolean,
): Promise<number> {
  const told = disks.map((one) => (one.error === undefined ? one : { ...one, error: errorJson(one.error) }));
  if (json) await tellJson(io, { run, pit, disks: told });
  for (const one of json ? [] : disks) {
    if (one.error !== undefined) {
      io.stderr.write(errorLine(one.disk, one.error));
      continue;
    }
    await tell(io, describe(one, run, pit));
    if (one.points === 'lost')
      warn(io, `${one.image} lost its points in time when it was closed: its next backup is full`);
  }
  const [first] = disks.flatMap(({ error }) => error ?? []);
  return first === undefined ? 0 : exitCodeOf(first);
}

function describe(one: Extract<RestoredOnto, { by: string }>, run: number, pit: string): string {
  const how =
    one.by === 'changes' ? `what changed since run ${one.base}` : `all data was compared (${one.message})`;
  const zeros = one.zeroedBytes === 0 ? '' : `, ${formatBytes(one.zeroedBytes)} made zeros`;
  return `${printable(one.image)} is ${printable(one.disk)} of run ${run}, point in time ${pit}: ${printable(how)}; ${formatBytes(one.comparedBytes)} of ${formatBytes(one.sizeBytes)} looked at, ${formatBytes(one.writtenBytes)} written${zeros}\n`;
}
