/**
 * `qemu-cbt doctor`: what state a disk's tracking is in and what that means, and whether this machine has what the
 * product needs. Reads only. Exit 0 when all is well, otherwise the code of the worst finding.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError, type CbtReason } from '../../core/errors.js';
import type { PitList } from '../../core/trackedDisk.js';
import { describeKernel, loadKernel } from '../../kernel/load.js';
import { exitCodeOf } from '../exitCode.js';
import { type CliIo, write, writeJson } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { printable, toCbtError } from '../report.js';

export interface DoctorFlags extends OpenOptions {
  json?: boolean;
}

interface Finding {
  level: 'ok' | 'note' | 'problem';
  reason?: CbtReason | null;
  code?: string;
  message: string;
  /** What to do about it. */
  advice?: string;
}

interface DiskReport {
  disk: string;
  findings: Finding[];
}

const ADVICE: Record<CbtReason, string> = {
  CRASHED:
    'take a full backup, then `qemu-cbt reset`: the writes between the last clean stop and the crash are not known',
  MISSING: 'take a full backup, then `qemu-cbt reset`',
  UNKNOWN_PIT: 'take a full backup',
  OTHER_EPOCH: 'points of the ended history cannot be used; `qemu-cbt reset` clears them',
  NOT_RECORDING: 'take a full backup, then `qemu-cbt reset`',
  OVERLAY: 'commit the layers above, or go on: answers then count everything they hold as changed',
  GRANULARITY: 'take a full backup, then `qemu-cbt reset`',
  SIZE: 'take a full backup',
  VOLATILE:
    'use a qcow2 image, or qcow2 with an external raw data file, to keep points in time over a restart',
  FORMAT: 'convert the image to qcow2 version 3 (`qemu-img amend -o compat=1.1`) to track it',
  BUSY: 'ask the QEMU that holds it, through its QMP socket, or stop it first',
  FOREIGN: 'it belongs to another program and is left alone',
};

export async function doctor(io: CliIo, disks: readonly string[], flags: DoctorFlags): Promise<number> {
  const kernel = await loadKernel({ kernel: flags.kernel ?? 'auto' });
  const paths = (await Promise.all(disks.map(expandFolder))).flat();
  const reports: DiskReport[] = [];
  let exitCode = 0;
  for (const disk of paths) {
    const { report, worst } = await examine(io, disk, flags);
    reports.push(report);
    exitCode = Math.max(exitCode, worst);
  }
  if (flags.json) {
    await writeJson(io, { kernel: { path: kernel.path, detail: describeKernel() }, disks: reports });
  } else {
    const lines = [`kernel: ${kernel.path} (${describeKernel()})`];
    for (const { disk, findings } of reports) {
      lines.push('', printable(disk));
      for (const finding of findings) {
        const mark = { ok: 'ok     ', note: 'note   ', problem: 'PROBLEM' }[finding.level];
        lines.push(`  ${mark} ${finding.reason ? `[${finding.reason}] ` : ''}${printable(finding.message)}`);
        if (finding.advice !== undefined) lines.push(`          → ${finding.advice}`);
      }
    }
    await write(io.stdout, `${lines.join('\n')}\n`);
  }
  return exitCode;
}

async function examine(
  io: CliIo,
  disk: string,
  flags: DoctorFlags,
): Promise<{ report: DiskReport; worst: number }> {
  try {
    await using opened = await openForCommand(io, disk, flags);
    const list = await opened.pits({ signal: io.signal });
    const findings = findingsOf(list);
    return { report: { disk, findings }, worst: list.state === 'lost' ? 3 : 0 };
  } catch (thrown) {
    const error = toCbtError(thrown);
    if (error.code === 'ERR_CBT_ABORTED') throw error;
    return { report: { disk, findings: [findingOfError(error)] }, worst: exitCodeOf(error) };
  }
}

function findingsOf(list: PitList): Finding[] {
  const findings: Finding[] = [];
  if (list.state === 'untracked')
    findings.push({ level: 'note', message: 'not tracked: no point in time of ours' });
  else findings.push({ level: 'ok', message: `${list.pits.length} point(s) in time in epoch ${list.epoch}` });
  for (const problem of list.problems) {
    const level = list.state === 'lost' ? 'problem' : 'note';
    findings.push({
      level,
      reason: problem.reason,
      message: problem.message,
      advice: ADVICE[problem.reason],
    });
  }
  for (const bitmap of list.foreign) {
    const state = bitmap.inconsistent ? 'inconsistent' : bitmap.recording ? 'recording' : 'frozen';
    const message = `bitmap ${JSON.stringify(bitmap.name)} on ${bitmap.layer} is not ours (${state})`;
    findings.push({ level: 'note', reason: 'FOREIGN', message, advice: ADVICE.FOREIGN });
  }
  return findings;
}

function findingOfError(error: CbtError): Finding {
  return {
    level: 'problem',
    code: error.code,
    reason: error.reason ?? null,
    message: error.message,
    ...(error.reason === undefined ? {} : { advice: ADVICE[error.reason] }),
  };
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
