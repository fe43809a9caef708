/** `qemu-cbt restore --instant`: overlays over a run that VMs start from at once; kept company until they are filled, or given up. */

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type InstantRun, instantRestore } from '../../backup/instantRestore.js';
import { runNamed } from '../../backup/reading.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { Vm } from '../../core/vm.js';
import { fillOverlay, hasImage } from '../../host/fillOverlay.js';
import type { HostVm } from '../../host/hostVm.js';
import { NOT_AS_WANTED } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { TransferProgress } from '../transferProgress.js';

export interface RestoreInstantFlags {
  from: string;
  to?: string;
  toFolder?: string;
  pit?: string;
  disk?: string;
  vm?: string;
  json?: boolean;
}

export async function restoreInstantCommand(io: CliIo, flags: RestoreInstantFlags): Promise<number> {
  const { from, to, toFolder, pit, disk, json = false } = flags;
  if (to === undefined && toFolder === undefined)
    throw invalidArgument('--to', 'missing', 'a new file, or --to-folder');
  const host = flags.vm === undefined ? null : await fillingVm(io, flags.vm);
  const resume = host !== null;
  return instantRestore(
    { from, to, toFolder, at: runNamed(pit), disk, resume, signal: io.signal },
    async (made) => {
      if (json) await tellJson(io, made);
      else await tell(io, whatToDo(made, flags.vm));
      if (host === null) {
        await untilEnded(io.signal);
        return givenUp(io, made);
      }
      return await fill(io, host, made, json);
    },
  );
}

const LONG_MS = 2 ** 30;

/** Nothing else goes on here: without a timer Node would take the work for done, and let go of the folder. */
async function untilEnded(signal: AbortSignal): Promise<void> {
  const awake = setInterval(() => undefined, LONG_MS);
  if (!signal.aborted) await once(signal, 'abort');
  clearInterval(awake);
}

/** libvirt has to be asked by its own way, so that it knows what becomes of the image. */
async function fillingVm(io: CliIo, name: string): Promise<HostVm> {
  const host = await inventoryOf(io).require(name, { signal: io.signal });
  if (host.entry.libvirt !== undefined || host.address.startsWith('libvirt:'))
    throw invalidArgument(
      '--vm',
      name,
      'left out: of a domain, `virsh blockpull <domain> <disk> --wait` fills it, so that libvirt knows; then end this command',
    );
  return host;
}

async function fill(io: CliIo, host: HostVm, made: InstantRun, json: boolean): Promise<number> {
  const { signal } = io;
  const bar = new TransferProgress(io, 'fill', { json });
  let unfilled = made.disks;
  try {
    await using vm = await runningWith(host, made, signal);
    if (vm === null) return givenUp(io, made);
    for (const { disk, image } of made.disks) {
      await fillOverlay(vm.vm, image, {
        signal,
        onProgress: (doneBytes, totalBytes) =>
          bar.update({ phase: 'restore', disk, doneBytes, totalBytes, bytesPerSecond: 0 }),
      });
      unfilled = unfilled.slice(1);
    }
  } catch (error) {
    const code = givenUp(io, { ...made, disks: unfilled });
    if (!signal.aborted) throw error;
    return code;
  } finally {
    bar.end();
  }
  if (!json) await tell(io, `filled: VM ${printable(host.name)} needs nothing of the backup any more\n`);
  return 0;
}

const LOOK_EVERY_MS = 500;

/** Waits for the VM to run from the overlays; null where that was called off. */
async function runningWith(
  host: HostVm,
  { disks }: InstantRun,
  signal: AbortSignal,
): Promise<({ vm: Vm } & AsyncDisposable) | null> {
  while (!signal.aborted) {
    const vm = await host.connect({ signal }).catch((error: unknown) => {
      if (!signal.aborted && !mayComeYet(error)) throw error;
      return null;
    });
    try {
      const has: boolean[] = [];
      if (vm?.running) for (const { image } of disks) has.push(await hasImage(vm, image, signal));
      if (vm?.running && has.every(Boolean)) return { vm, [Symbol.asyncDispose]: () => vm.close() };
    } catch (error) {
      // It may end as it starts; the next look tells.
      if (!signal.aborted && !mayComeYet(error)) {
        await vm?.close();
        throw error;
      }
    }
    await vm?.close();
    await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return null;
}

/** Whether waiting helps: not where this user may not ask the VM, or another one answers in its place. */
function mayComeYet(error: unknown): boolean {
  if (!(error instanceof CbtError)) return false;
  const { code, details } = error;
  return (
    !['ERR_CBT_INTERNAL', 'ERR_CBT_INVALID_ARGUMENT'].includes(code) &&
    !['EACCES', 'EPERM'].includes(String(details['errno']))
  );
}

function givenUp(io: CliIo, { run, disks }: InstantRun): number {
  for (const { disk, image, backing } of disks)
    warn(
      io,
      `${image} still stands on ${backing}: neither it nor what is below it may change while the image is used; prune keeps its hands off only while a VM runs from it. ` +
        `--instant --pit ${run} --disk ${disk} --to ${image} --vm <vm> fills it`,
    );
  return NOT_AS_WANTED;
}

function whatToDo({ run, pit, disks }: InstantRun, vm: string | undefined): string {
  const lines = disks.map(
    ({ disk, image, sizeBytes }) => `  ${printable(image)}   ${printable(disk)}, ${formatBytes(sizeBytes)}\n`,
  );
  const next =
    vm === undefined
      ? 'Start the VM from it now, and keep this command running: no prune changes the folder meanwhile. --vm <vm> would fill it.\n'
      : `Start VM ${printable(vm)} from it now: it is filled while the VM runs, and this command ends then.\n`;
  return `Over run ${run}, point in time ${pit}:\n${lines.join('')}${next}`;
}
