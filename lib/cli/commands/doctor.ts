/**
 * `qemu-cbt doctor`: what state a disk's tracking is in and what that means, and whether this machine has what the
 * product needs. Exit 0 when all is well, otherwise the code of the worst finding.
 */
import { describeKernel, loadKernel } from '../../kernel/load.js';
import { examine } from '../doctor/examine.js';
import type { DiskReport } from '../doctor/findings.js';
import { type CliIo, write, writeJson } from '../io.js';
import type { OpenOptions } from '../openForCommand.js';
import { printable } from '../report.js';

export interface DoctorFlags extends OpenOptions {
  json?: boolean;
}

export async function doctor(io: CliIo, names: readonly string[], flags: DoctorFlags): Promise<number> {
  const kernel = await loadKernel({ kernel: flags.kernel ?? 'auto' });
  const reports: DiskReport[] = [];
  for (const name of names) reports.push(...(await examine(io, name, flags)));
  if (flags.json) {
    const disks = reports.map(({ disk, findings }) => ({ disk, findings }));
    await writeJson(io, { kernel: { path: kernel.path, detail: describeKernel() }, disks });
  } else {
    await write(io.stdout, `kernel: ${kernel.path} (${describeKernel()})\n${reports.map(describe).join('')}`);
  }
  return reports.reduce((worst, { exitCode }) => Math.max(worst, exitCode), 0);
}

function describe({ disk, findings }: DiskReport): string {
  const lines = ['', printable(disk)];
  for (const { level, reason, message, advice } of findings) {
    const mark = { ok: 'ok     ', note: 'note   ', problem: 'PROBLEM' }[level];
    lines.push(`  ${mark} ${reason ? `[${reason}] ` : ''}${printable(message)}`);
    if (advice !== undefined) lines.push(`          → ${advice}`);
  }
  return `${lines.join('\n')}\n`;
}
