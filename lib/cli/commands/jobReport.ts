/** How jobs went: as a table, and as JSON. */
import type { DiskResult } from '../../backup/backup.js';
import { CbtError } from '../../core/errors.js';
import { exitCodeOf, NOT_AS_WANTED, worseOf } from '../exitCode.js';
import { localTime } from '../localTime.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { errorJson } from '../sourceFlags.js';
import { columns } from '../table.js';
import { formatSeconds } from '../transferProgress.js';

/** What became of a VM in a job. */
export interface VmReport {
  vm: string;
  to: string;
  startedAt: string;
  exitCode: number;
  seconds: number;
  /** Null where no run came to be. */
  run: number | null;
  disks: readonly DiskResult[];
  /** What the backup, `verify` and the prune had to say beside it. */
  warnings: readonly string[];
  /** The first thing that failed: the backup, what `verify` found, or the prune. */
  error: CbtError | null;
}

export interface JobReport {
  job: string;
  startedAt: string;
  finishedAt: string;
  exitCode: number;
  vms: readonly VmReport[];
  /** What failed beside the VMs: hooks, finding the VMs, telling how it went; or the signal that ended it. */
  errors: readonly CbtError[];
}

/** What a signal ended, in its words. */
export function abortedError({ reason }: AbortSignal): CbtError {
  const why = reason instanceof Error ? reason.message : 'cancelled';
  return new CbtError('ERR_CBT_ABORTED', why, { cause: reason });
}

/** The report with one thing more that failed; itself where it says that already. */
export function withError(report: JobReport, error: CbtError): JobReport {
  if (report.errors.some(({ message }) => message === error.message)) return report;
  return {
    ...report,
    errors: [...report.errors, error],
    exitCode: worseOf(report.exitCode, exitCodeOf(error)),
  };
}

export function reportJson({ errors, vms, ...job }: JobReport): object {
  return {
    ...job,
    vms: vms.map(({ error: failed, disks, ...vm }) => ({
      ...vm,
      disks: disks.map((disk) =>
        disk.error === undefined
          ? {
              disk: disk.disk,
              verdict: disk.verdict,
              reason: disk.reason,
              changedBytes: disk.changedBytes,
              storedBytes: disk.storedBytes,
            }
          : { disk: disk.disk, error: errorJson(disk.error) },
      ),
      error: failed === null ? null : errorJson(failed),
    })),
    errors: errors.map(errorJson),
  };
}

export function tableOf(reports: readonly JobReport[]): string {
  const head = ['job', 'VM', 'run', 'full', 'incremental', 'changed', 'stored', 'time', 'result'];
  const rows = reports.flatMap(({ job, vms, errors }) => [
    ...vms.map((vm) => [job, printable(vm.vm), ...figuresOf(vm), resultOf(vm)]),
    ...errors.map((error) => [job, '-', '-', '-', '-', '-', '-', '-', failure(error)]),
  ]);
  const warnings = reports.flatMap(({ job, vms }) =>
    vms.flatMap(({ vm, warnings: all }) =>
      all.map((one) => `warning: ${job}, ${printable(vm)}: ${printable(one)}`),
    ),
  );
  const at = reports.at(-1)?.finishedAt;
  const lines = columns(head, rows, new Set(['run', 'full', 'incremental', 'changed', 'stored', 'time']));
  return `${['', ...lines, ...warnings, ...(at === undefined ? [] : [`ended ${localTime(at)}`])].join('\n')}\n`;
}

function figuresOf({ run, disks, seconds }: VmReport): string[] {
  const done = disks.flatMap((disk) => (disk.error === undefined ? [disk] : []));
  const full = done.filter(({ verdict }) => verdict === 'full').length;
  return [
    run === null ? '-' : String(run),
    String(full),
    String(done.length - full),
    formatBytes(sum(done.map(({ changedBytes }) => changedBytes))),
    formatBytes(sum(done.map(({ storedBytes }) => storedBytes))),
    formatSeconds(Math.round(seconds)),
  ];
}

function resultOf({ exitCode, error, warnings }: VmReport): string {
  if (error !== null) return failure(error);
  const done = exitCode === NOT_AS_WANTED ? 'done, but full where incremental was wanted' : 'done';
  return warnings.length === 0 ? done : `${done}, ${warnings.length} warning(s)`;
}

function failure({ code, message }: CbtError): string {
  return `${code === 'ERR_CBT_ABORTED' ? 'ABORTED' : 'FAILED'} [${code}] ${printable(message)}`;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
