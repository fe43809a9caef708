/** Figures of a job: which times of good backups stay. */
import { expect, test } from 'vitest';
import { metricsOf } from '../../../../lib/cli/commands/jobMetrics.js';
import type { JobReport, VmReport } from '../../../../lib/cli/commands/jobReport.js';
import { CbtError } from '../../../../lib/core/errors.js';

const AT = '2026-01-02T03:04:05.000Z';

function vmReport(vm: string, error: CbtError | null): VmReport {
  const exitCode = error === null ? 0 : 5;
  return { vm, to: `/b/${vm}`, startedAt: AT, exitCode, seconds: 1, run: 1, disks: [], warnings: [], error };
}

const report = (vms: VmReport[]): JobReport => ({
  job: 'n',
  startedAt: AT,
  finishedAt: AT,
  exitCode: 0,
  vms,
  errors: [],
});

const goodTimes = (text: string): string[] =>
  text.split('\n').filter((line) => line.startsWith('qemu_cbt_job_vm_success'));

const EARLIER = new Map([
  ['{job="n",vm="web"}', '11'],
  ['{job="n",vm="gone"}', '12'],
  ['{job="other",vm="web"}', '13'],
]);

test('a bad night keeps the time of the good one; a VM that the job no longer has goes, and what is of another job', () => {
  const bad = vmReport('web', new CbtError('ERR_CBT_TIMEOUT', 'late'));
  expect(goodTimes(metricsOf(report([bad, vmReport('new', null)]), EARLIER))).toEqual([
    'qemu_cbt_job_vm_success_timestamp_seconds{job="n",vm="web"} 11',
    'qemu_cbt_job_vm_success_timestamp_seconds{job="n",vm="new"} 1767323045',
  ]);
});

test('a night that came to no VM keeps all times of the job', () => {
  expect(goodTimes(metricsOf(report([]), EARLIER))).toEqual([
    'qemu_cbt_job_vm_success_timestamp_seconds{job="n",vm="web"} 11',
    'qemu_cbt_job_vm_success_timestamp_seconds{job="n",vm="gone"} 12',
  ]);
});
