/** What `doctor` looks at: an image, the images in a folder, one disk of a running QEMU, or all of them. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkNewest } from '../../backup/listing/checkNewest.js';
import { listRuns } from '../../backup/listing/listRuns.js';
import { CbtError } from '../../core/errors.js';
import type { TrackedDisk } from '../../core/trackedDisk.js';
import type { Vm } from '../../core/vm.js';
import { parseAddress, parseLibvirtItself } from '../../host/diskName.js';
import { domainNotes } from '../../host/domainNotes.js';
import { findImageLeftovers } from '../../host/imageLeftovers.js';
import type { Leftover } from '../../host/leftover.js';
import { addressesIn } from '../../host/libvirtVms.js';
import { openVm } from '../../host/openVm.js';
import { findVmLeftovers, type LeftoverOptions } from '../../host/vmLeftovers.js';
import { requireNoWaitingOverlay } from '../../host/waitingOverlay.js';
import { nameOfVm } from '../../host/ways.js';
import { textOf, unreadableName } from '../../linux/textPath.js';
import { exitCodeOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import type { CliIo } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { toCbtError } from '../report.js';
import { openSource } from '../sourceFlags.js';
import { examineBackups, findingsAgainst, isBackupFolder } from './backups.js';
import { type DiskReport, findingOfError, findingsOf, findingsOfLeftovers } from './findings.js';

/** Reports on everything a name stands for; what cannot be looked at is a finding itself. */
export async function examine(io: CliIo, given: string, flags: ExamineFlags): Promise<DiskReport[]> {
  const uri = parseLibvirtItself(given);
  if (uri !== null) return examineDomains(io, { name: given, uri }, flags);
  const name = await addressOf(io, given);
  if (!/^(qmp|libvirt):/.test(name)) return examineImages(io, name, flags);
  const { address, disk } = parseAddress(name);
  if (disk === '') return examineVm(io, { name, address }, flags);
  const reset = (signal?: AbortSignal): Promise<unknown> => resetOnVm(address, disk, flags, signal);
  return [await examineDisk(io, name, flags, () => openForCommand(io, name, flags), reset)];
}

/** A VM of the host file, or a disk of one, by its socket; anything else as it is. */
async function addressOf(io: CliIo, name: string): Promise<string> {
  if (/^(qmp|libvirt):|^[^#]*\//.test(name)) return name;
  const inventory = inventoryOf(io);
  if (name.includes('#')) {
    const found = await inventory.findDisk(name, { signal: io.signal });
    return 'path' in found ? name : `${nameOfVm(found.vm.address)}#${found.disk}`;
  }
  const vms = await inventory.vms();
  if (!vms.some((vm) => vm.name === name)) return name;
  return nameOfVm((await inventory.require(name, { signal: io.signal })).address);
}

export interface ExamineFlags extends OpenOptions {
  /** A folder that sessions were given for their files, and a place for the socket of questions. */
  scratch?: string;
  /** A backup folder whose runs expect points on the disks. */
  from?: string;
}

async function examineImages(io: CliIo, name: string, flags: ExamineFlags): Promise<DiskReport[]> {
  const { signal } = io;
  if (await isBackupFolder(name)) return [await examineBackups(name, signal)];
  const { paths, unreadable } = await expandFolder(name);
  const left = await leftoversOf(name, () =>
    findImageLeftovers(paths, { scratchFolder: flags.scratch, signal }),
  );
  const reports = left === null ? [] : [left];
  // Leaving one out would say that it is well.
  for (const bytes of unreadable) reports.push(failed(name, unreadableName(`an image in ${name}`, bytes)));
  for (const path of paths) {
    const reset = async (stop?: AbortSignal): Promise<unknown> => {
      await requireNoWaitingOverlay([path], flags.scratch === undefined ? [] : [flags.scratch]);
      await using vm = await openSource([path], flags, null);
      return await vm.reset({ signal: stop });
    };
    reports.push(await examineDisk(io, path, flags, () => openForCommand(io, path, flags), reset));
  }
  return reports;
}

async function examineVm(
  io: CliIo,
  { name, address }: { name: string; address: string },
  flags: ExamineFlags,
): Promise<DiskReport[]> {
  const { signal } = io;
  const { kernel, nbdSocket, scratch } = flags;
  try {
    await using vm = await openVm({ address, kernel, nbdSocket, scratchFolder: scratch, signal });
    const left = await leftoversOf(name, () => leftoversIn(vm, address, { scratchFolder: scratch, signal }));
    const reports: DiskReport[] = left === null ? [] : [left];
    for (const { disk, trackable, why } of await vm.disks({ signal })) {
      const label = `${name}#${disk}`;
      const reset = (stop?: AbortSignal): Promise<unknown> => resetOnVm(address, disk, flags, stop);
      reports.push(
        trackable
          ? await examineDisk(io, label, flags, () => vm.openDisk(disk, { signal }), reset)
          : { disk: label, findings: [{ level: 'note', message: `cannot be tracked: ${why}` }], exitCode: 0 },
      );
    }
    return reports;
  } catch (thrown) {
    return [failed(name, thrown)];
  }
}

/** Domains that are looked at together: a slow one makes the others of its group wait, and none more. */
const TOGETHER = 16;

/** Every domain of a libvirt; one that cannot be looked at is a finding, and stops no other. */
async function examineDomains(
  io: CliIo,
  { name, uri }: { name: string; uri: string },
  flags: ExamineFlags,
): Promise<DiskReport[]> {
  try {
    const addresses = await addressesIn(uri, { signal: io.signal });
    if (addresses.length === 0)
      return [{ disk: name, findings: [{ level: 'note', message: 'it has no domains' }], exitCode: 0 }];
    const reports: DiskReport[] = [];
    for (let at = 0; at < addresses.length; at += TOGETHER) {
      const some = addresses.slice(at, at + TOGETHER);
      const looks = some.map((address) => examineVm(io, { name: address, address }, flags));
      reports.push(...(await Promise.all(looks)).flat());
    }
    return reports;
  } catch (thrown) {
    return [failed(name, thrown)];
  }
}

/** Of a domain that is off what is left lies beside its images. */
async function leftoversIn(vm: Vm, address: string, options: LeftoverOptions): Promise<Leftover[]> {
  if (vm.running) {
    const notes = address.startsWith('libvirt:') ? await domainNotes(address, options) : [];
    return [...notes, ...(await findVmLeftovers(address, options))];
  }
  const images = (await vm.disks({ signal: options.signal })).flatMap(({ filename }) => filename ?? []);
  return images.length === 0 ? [] : findImageLeftovers(images, options);
}

async function resetOnVm(
  address: string,
  disk: string,
  { kernel, nbdSocket, scratch }: ExamineFlags,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  await using vm = await openVm({ address, kernel, nbdSocket, scratchFolder: scratch, signal });
  return await vm.reset({ disks: [disk], signal });
}

/** What is left of sessions, as a report of its own; null where nothing is. */
async function leftoversOf(name: string, find: () => Promise<Leftover[]>): Promise<DiskReport | null> {
  try {
    const findings = findingsOfLeftovers(await find());
    if (findings.length === 0) return null;
    // What is left holds something up, as a lock does.
    const exitCode = findings.some(({ level }) => level === 'problem') ? 5 : 0;
    return { disk: `sessions on ${name}`, findings, exitCode };
  } catch (thrown) {
    return failed(`sessions on ${name}`, thrown);
  }
}

async function examineDisk(
  io: CliIo,
  disk: string,
  flags: ExamineFlags,
  open: () => Promise<TrackedDisk>,
  reset: (signal?: AbortSignal) => Promise<unknown>,
): Promise<DiskReport> {
  try {
    const { signal } = io;
    await using opened = await open();
    const list = await opened.pits({ signal });
    const findings = findingsOf(list, reset);
    if (flags.from !== undefined) {
      const { from } = flags;
      const against = {
        list: await listRuns({ from, signal }),
        newest: await checkNewest({ from, maxAgeMs: Number.MAX_SAFE_INTEGER, signal }),
      };
      findings.push(...findingsAgainst(against, list));
    }
    return { disk, findings, exitCode: findings.some(({ level }) => level === 'problem') ? 3 : 0 };
  } catch (thrown) {
    return failed(disk, thrown);
  }
}

function failed(disk: string, thrown: unknown): DiskReport {
  const error = toCbtError(thrown);
  if (error.code === 'ERR_CBT_ABORTED') throw error;
  return { disk, findings: [findingOfError(error)], exitCode: exitCodeOf(error) };
}

const IMAGE_NAMES = /\.(qcow2|qcow|img|raw|hds|hdd)$/i;

/** A folder means the images in it, those with unreadable names as well; a `.hdd` folder is an image itself. */
async function expandFolder(path: string): Promise<{ paths: string[]; unreadable: Buffer[] }> {
  const info = await stat(path).catch(() => null);
  if (info === null || !info.isDirectory()) return { paths: [path], unreadable: [] };
  const names = await readdir(path, { encoding: 'buffer' });
  if (names.some((name) => name.equals(DESCRIPTOR_NAME))) return { paths: [path], unreadable: [] };
  const images = names.filter((name) => IMAGE_NAMES.test(name.toString('latin1'))).sort(Buffer.compare);
  if (images.length === 0) {
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} holds no image (${IMAGE_NAMES.source})`, {
      disk: path,
    });
  }
  return {
    paths: images.flatMap((name) => textOf(name) ?? []).map((name) => join(path, name)),
    unreadable: images.filter((name) => textOf(name) === null),
  };
}

const DESCRIPTOR_NAME = Buffer.from('DiskDescriptor.xml');
