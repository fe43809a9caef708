/** What `doctor` looks at: an image, the images in a folder, one disk of a running QEMU, or all of them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError } from '../../core/errors.js';
import type { TrackedDisk } from '../../core/trackedDisk.js';
import { parseQmpName } from '../../open.js';
import { connectVm } from '../../vm.js';
import { exitCodeOf } from '../exitCode.js';
import type { CliIo } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { toCbtError } from '../report.js';
import { type DiskReport, findingOfError, findingsOf } from './findings.js';

/** Reports on everything a name stands for; what cannot be looked at is a finding itself. */
export async function examine(io: CliIo, name: string, flags: OpenOptions): Promise<DiskReport[]> {
  if (name.startsWith('qmp:') && parseQmpName(name).disk === '') return examineVm(io, name, flags);
  const paths = name.startsWith('qmp:') ? [name] : await expandFolder(name);
  const reports: DiskReport[] = [];
  for (const path of paths) reports.push(await examineDisk(io, path, () => openForCommand(io, path, flags)));
  return reports;
}

async function examineVm(io: CliIo, name: string, { kernel, nbdSocket }: OpenOptions): Promise<DiskReport[]> {
  const { signal } = io;
  try {
    await using vm = await connectVm(parseQmpName(name).socket, { kernel, nbdSocket, signal });
    const reports: DiskReport[] = [];
    for (const { disk, trackable, why } of await vm.disks({ signal })) {
      const label = `${name}#${disk}`;
      reports.push(
        trackable
          ? await examineDisk(io, label, () => vm.openDisk(disk, { signal }))
          : { disk: label, findings: [{ level: 'note', message: `cannot be tracked: ${why}` }], exitCode: 0 },
      );
    }
    return reports;
  } catch (thrown) {
    return [failed(name, thrown)];
  }
}

async function examineDisk(io: CliIo, disk: string, open: () => Promise<TrackedDisk>): Promise<DiskReport> {
  try {
    await using opened = await open();
    const list = await opened.pits({ signal: io.signal });
    return { disk, findings: findingsOf(list), exitCode: list.state === 'lost' ? 3 : 0 };
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

/** A folder means the images in it; a `.hdd` folder is an image itself. */
async function expandFolder(path: string): Promise<string[]> {
  const info = await stat(path).catch(() => null);
  if (info === null || !info.isDirectory()) return [path];
  const names = await readdir(path);
  if (names.includes('DiskDescriptor.xml')) return [path];
  const images = names.filter((name) => IMAGE_NAMES.test(name)).sort();
  if (images.length === 0) {
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${path} holds no image (${IMAGE_NAMES.source})`, {
      disk: path,
    });
  }
  return images.map((name) => join(path, name));
}
