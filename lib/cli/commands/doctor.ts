/**
 * `qemu-cbt doctor`: what state a disk's tracking is in and what that means, what sessions left behind, and whether this
 * machine has what the product needs. It only looks, unless told to mend. Exit 0 when all is well, otherwise the code of the worst
 * finding; after mending, of what is left.
 */
import { invalidArgument } from '../../core/errors.js';
import { describeKernel, loadKernel } from '../../kernel/load.js';
import { type ExamineFlags, examine } from '../doctor/examine.js';
import type { DiskReport, Finding } from '../doctor/findings.js';
import { type CliIo, write, writeJson } from '../io.js';
import { printable, toCbtError } from '../report.js';

export interface DoctorFlags extends ExamineFlags {
  json?: boolean;
  fix?: boolean;
  system?: boolean;
}

async function systemAlone(io: CliIo, names: readonly string[], flags: DoctorFlags): Promise<number> {
  const [name] = names;
  if (name !== undefined) throw invalidArgument('disk', name, 'left out with --system');
  for (const [option, value] of Object.entries({ '--fix': flags.fix, '--from': flags.from }))
    if (value !== undefined) throw invalidArgument(option, value, 'left out with --system');
  const { doctorSystem } = await import('../doctor/system.js');
  return doctorSystem(io, flags);
}

/** What became of one finding that was mended. */
interface Mended {
  disk: string;
  what: string;
  /** Why it could not be. */
  error?: string;
}

export async function doctor(io: CliIo, names: readonly string[], flags: DoctorFlags): Promise<number> {
  if (flags.system) return systemAlone(io, names, flags);
  const kernel = await loadKernel({ kernel: flags.kernel ?? 'auto' });
  const look = async (): Promise<DiskReport[]> => {
    const reports: DiskReport[] = [];
    for (const name of names) reports.push(...(await examine(io, name, flags)));
    return reports;
  };
  let reports = await look();
  const mended = flags.fix ? await mend(reports, io.signal) : [];
  if (mended.length > 0) reports = await look();
  if (flags.json) {
    const disks = reports.map(({ disk, findings }) => ({ disk, findings: findings.map(toJson) }));
    const facts = { kernel: { path: kernel.path, detail: describeKernel() }, disks };
    await writeJson(io, flags.fix ? { ...facts, fixed: mended } : facts);
  } else {
    const done = mended.map(describeMended).join('');
    const now = reports.map((report) => describe(report, flags.fix === true)).join('');
    await write(io.stdout, `kernel: ${kernel.path} (${describeKernel()})\n${done}${now}`);
  }
  return reports.reduce((worst, { exitCode }) => Math.max(worst, exitCode), 0);
}

/** Mends what can be, in order: what sessions left comes before the chains that it may heal. */
async function mend(reports: readonly DiskReport[], signal: AbortSignal): Promise<Mended[]> {
  const mended: Mended[] = [];
  for (const { disk, findings } of reports) {
    for (const { mend: cure } of findings) {
      if (cure == null) continue;
      try {
        await cure.run({ signal });
        mended.push({ disk, what: cure.what });
      } catch (thrown) {
        const error = toCbtError(thrown);
        if (error.code === 'ERR_CBT_ABORTED') throw error;
        mended.push({ disk, what: cure.what, error: error.message });
      }
    }
  }
  return mended;
}

function toJson({ mend: cure, ...finding }: Finding): object {
  return cure == null ? finding : { ...finding, fix: cure.what };
}

function describeMended({ disk, what, error }: Mended): string {
  return error === undefined
    ? `fixed   ${printable(disk)}: ${printable(what)}\n`
    : `FAILED  ${printable(disk)}: ${printable(what)}: ${printable(error)}\n`;
}

function describe({ disk, findings }: DiskReport, fixing: boolean): string {
  const lines = ['', printable(disk)];
  for (const { level, reason, message, advice, mend: cure } of findings) {
    const mark = { ok: 'ok     ', note: 'note   ', problem: 'PROBLEM' }[level];
    lines.push(`  ${mark} ${reason ? `[${reason}] ` : ''}${printable(message)}`);
    if (advice !== undefined) lines.push(`          → ${printable(advice)}`);
    if (cure != null && !fixing) lines.push(`          → --fix would: ${printable(cure.what)}`);
  }
  return `${lines.join('\n')}\n`;
}
