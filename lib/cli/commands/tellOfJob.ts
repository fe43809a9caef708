/** Who is told of a job: files for programs, and its last hook. Each is tried whatever became of the others. */
import { join } from 'node:path';
import type { HostJob } from '../../host/hostSchema.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import type { CliIo } from '../io.js';
import { toCbtError } from '../report.js';
import { errorLine } from '../sourceFlags.js';
import { runHook } from './jobHook.js';
import { goodTimesIn, metricsOf } from './jobMetrics.js';
import { type JobReport, reportJson, withError } from './jobReport.js';

/** Jobs may have one folder. */
export function reportPathOf({ to, name }: HostJob): string {
  return join(to, `last-run-${name}.json`);
}

/** Files first: the hook may send them. They are written again where what they say is no longer all. A signal leaves the hook out. */
export async function tellOfJob(
  io: CliIo,
  { job, json }: { job: HostJob; json: boolean },
  done: JobReport,
): Promise<JobReport> {
  const attempt = async (report: JobReport, work: () => Promise<void>): Promise<JobReport> => {
    try {
      await work();
      return report;
    } catch (thrown) {
      const error = toCbtError(thrown);
      const told = withError(report, error);
      if (told !== report && !json && !io.signal.aborted) io.stderr.write(errorLine(job.name, error));
      return told;
    }
  };
  const writeMetrics = (report: JobReport): Promise<JobReport> =>
    attempt(report, async () => {
      if (job.metrics === undefined) return;
      await writeText(job.metrics, metricsOf(report, await goodTimesIn(job.metrics)));
    });
  const reportPath = reportPathOf(job);
  const writeReport = (report: JobReport): Promise<JobReport> =>
    attempt(report, () => writeText(reportPath, `${JSON.stringify(reportJson(report), null, 2)}\n`));

  const inMetrics = done;
  const inReport = await writeMetrics(inMetrics);
  let report = await writeReport(inReport);
  if (!io.signal.aborted) {
    const { exitCode } = report;
    const facts = { exitCode, reportPath: report === inReport ? reportPath : null };
    const told = report;
    report = await attempt(told, () => runHook(io, job, exitCode === 0 ? 'after' : 'failed', facts));
  }
  if (report !== inReport) report = await writeReport(report);
  if (report !== inMetrics) report = await writeMetrics(report);
  return report;
}

/** Readable by whoever collects it. */
async function writeText(path: string, text: string): Promise<void> {
  await writeWholeFile(path, (file) => file.writeFile(text), { mode: 0o644, links: 'refuse' });
}
