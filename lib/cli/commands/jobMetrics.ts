/** How a job went as figures for Prometheus, in its text format. */
import { readFile } from 'node:fs/promises';
import { isMissing, onFile } from '../../linux/fileFault.js';
import { NOT_AS_WANTED } from '../exitCode.js';
import { type JobReport, sum, type VmReport } from './jobReport.js';

const SUCCESS = 'job_vm_success_timestamp_seconds';

/** When the newest good run of a VM began, in seconds, as text; by the labels of its figure. */
type GoodTimes = ReadonlyMap<string, string>;

/** Those that an earlier file of figures has; none where there is no file. */
export async function goodTimesIn(path: string): Promise<GoodTimes> {
  const text = await onFile(path, 'reading', () =>
    readFile(path, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return '';
      throw error;
    }),
  );
  const lines = text.matchAll(new RegExp(`^qemu_cbt_${SUCCESS}(\\{.*\\}) (\\d{1,12}(?:\\.\\d+)?)$`, 'gm'));
  return new Map([...lines].map(([, labels = '', seconds = '']) => [labels, seconds]));
}

/**
 * A VM keeps the time of its last good run through nights that are bad: its age is what an alert looks at. Those that the job no longer has go;
 * where it did not come to its VMs, all stay.
 */
export function metricsOf({ job, finishedAt, exitCode, vms }: JobReport, earlier: GoodTimes): string {
  const ofJob = `{job="${label(job)}"}`;
  const of = (vm: string): string => `{job="${label(job)}",vm="${label(vm)}"}`;
  const good = new Map(
    [...earlier].filter(([labels]) =>
      vms.length === 0 ? labels.startsWith(`{job="${label(job)}",`) : vms.some(({ vm }) => of(vm) === labels),
    ),
  );
  for (const vm of vms.filter(isGood)) good.set(of(vm.vm), String(Date.parse(vm.startedAt) / 1000));
  const figures: [name: string, help: string, lines: string[]][] = [
    ['job_end_timestamp_seconds', 'When the job last ended.', [`${ofJob} ${Date.parse(finishedAt) / 1000}`]],
    ['job_exit_code', 'Exit code of the job.', [`${ofJob} ${exitCode}`]],
    ['job_vm_exit_code', 'Exit code of a VM in it.', vms.map((vm) => `${of(vm.vm)} ${vm.exitCode}`)],
    [
      SUCCESS,
      'When the newest backup of a VM that went well began.',
      [...good].map(([labels, seconds]) => `${labels} ${seconds}`),
    ],
    [
      'job_vm_duration_seconds',
      'How long a VM took.',
      vms.map((vm) => `${of(vm.vm)} ${vm.seconds.toFixed(3)}`),
    ],
    ['job_vm_stored_bytes', 'What was stored of a VM.', vms.map((vm) => `${of(vm.vm)} ${storedBytes(vm)}`)],
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

function isGood({ error, exitCode }: VmReport): boolean {
  return error === null && (exitCode === 0 || exitCode === NOT_AS_WANTED);
}

function storedBytes({ disks }: VmReport): number {
  return sum(disks.map((disk) => (disk.error === undefined ? disk.storedBytes : 0)));
}

/** As the text format quotes it. */
function label(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
