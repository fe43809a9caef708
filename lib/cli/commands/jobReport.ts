/** How jobs went: as a table, as JSON, and as figures for Prometheus. */
import type { DiskResult } from '../../backup/backup.js';
import type { CbtError } from '../../core/errors.js';
import { NOT_AS_WANTED } from '../exitCode.js';
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
  exitCode: number;
  seconds: number;
  /** Null where no run came to be. */
  run: number | null;
  disks: readonly DiskResult[];
  /** The first thing that failed: the backup, the prune, or what `verify` found. */
  error: CbtError | null;
}

export interface JobReport {
  job: string;
  startedAt: string;
  finishedAt: string;
  exitCode: number;
  vms: readonly VmReport[];
  /** What failed beside the VMs: a hook, or finding them. */
  error: CbtError | null;
}

export function reportJson({ error, vms, ...job }: JobReport): object {
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
    error: error === null ? null : errorJson(error),
  };
}

export function tableOf(reports: readonly JobReport[]): string {
  const head = ['job', 'VM', 'run', 'full', 'incremental', 'changed', 'stored', 'time', 'result'];
  const rows = reports.flatMap(({ job, vms, error }) => {
    const own = vms.map((vm) => [job, printable(vm.vm), ...figuresOf(vm), resultOf(vm.exitCode, vm.error)]);
    return error === null ? own : [...own, [job, '-', '-', '-', '-', '-', '-', '-', resultOf(1, error)]];
  });
  const at = reports.at(-1)?.finishedAt;
  const lines = columns(head, rows, new Set(['run', 'full', 'incremental', 'changed', 'stored', 'time']));
  return `${['', ...lines, ...(at === undefined ? [] : [`ended ${localTime(at)}`])].join('\n')}\n`;
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

function resultOf(exitCode: number, error: CbtError | null): string {
  if (error !== null) return `FAILED [${error.code}] ${printable(error.message)}`;
  if (exitCode === NOT_AS_WANTED) return 'done, but full where incremental was wanted';
  return exitCode === 0 ? 'done' : 'FAILED';
}

/** In the text format of Prometheus. A VM that never ended well has no time of success: that is what an alert looks for. */
export function metricsOf({ job, startedAt, finishedAt, exitCode, vms }: JobReport): string {
  const of = (vm: string): string => `{job="${label(job)}",vm="${label(vm)}"}`;
  const good = vms.filter((vm) => vm.error === null && (vm.exitCode === 0 || vm.exitCode === NOT_AS_WANTED));
  const figures: [name: string, help: string, lines: string[]][] = [
    [
      'job_end_timestamp_seconds',
      'When the job last ended.',
      [`{job="${label(job)}"} ${Date.parse(finishedAt) / 1000}`],
    ],
    ['job_exit_code', 'Exit code of the job.', [`{job="${label(job)}"} ${exitCode}`]],
    ['job_vm_exit_code', 'Exit code of a VM in it.', vms.map((vm) => `${of(vm.vm)} ${vm.exitCode}`)],
    [
      'job_vm_success_timestamp_seconds',
      'When the run of a VM that went well began.',
      good.map((vm) => `${of(vm.vm)} ${Date.parse(startedAt) / 1000}`),
    ],
    [
      'job_vm_duration_seconds',
      'How long a VM took.',
      vms.map((vm) => `${of(vm.vm)} ${vm.seconds.toFixed(3)}`),
    ],
    [
      'job_vm_stored_bytes',
      'What was stored of a VM.',
      vms.map(
        (vm) =>
          `${of(vm.vm)} ${sum(vm.disks.map((disk) => (disk.error === undefined ? disk.storedBytes : 0)))}`,
      ),
    ],
  ];
  return figures
    .map(([name, help, lines]) =>
      [
        `# HELP qemu_cbt_${name} ${help}`,
        `# TYPE qemu_cbt_${name} gauge`,
        ...lines.map((line) => `qemu_cbt_${name}${line}`),
        '',
      ].join('\n'),
    )
    .join('');
}

/** As the text format quotes it. */
function label(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
