/** `qemu-cbt run`: jobs of the host file, one after the other, with one table and one exit code. */
import { CbtError, invalidArgument, throwIfAborted } from '../../core/errors.js';
import type { HostJob } from '../../host/hostSchema.js';
import { worseOf } from '../exitCode.js';
import { inventoryOf } from '../inventory.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { type JobReport, reportJson, tableOf } from './jobReport.js';
import { runJob } from './runJob.js';

export async function runCommand(
  io: CliIo,
  names: readonly string[],
  { json = false }: { json?: boolean },
): Promise<number> {
  const inventory = inventoryOf(io);
  const file = await inventory.file();
  if (file === null)
    throw new CbtError('ERR_CBT_INVALID_ARGUMENT', 'no host file, and so no job: name one with --host');
  const jobs = chosen(file.says.jobs ?? [], names, file.path);
  const reports: JobReport[] = [];
  for (const job of jobs) {
    if (io.signal.aborted) break;
    reports.push(await runJob(io, { job, inventory, json }));
  }
  // Ended by a signal or not: what was done is told.
  if (json) await tellJson(io, { jobs: reports.map(reportJson) });
  else await tell(io, tableOf(reports));
  const isCut = reports.some(({ errors }) => errors.some(({ code }) => code === 'ERR_CBT_ABORTED'));
  if (isCut || reports.length < jobs.length) throwIfAborted(io.signal);
  return reports.reduce((worst, { exitCode }) => worseOf(worst, exitCode), 0);
}

function chosen(all: readonly HostJob[], names: readonly string[], file: string): readonly HostJob[] {
  const known = all.map(({ name }) => name).join(', ');
  if (all.length === 0)
    throw invalidArgument('job', names[0] ?? 'none', `one that ${file} has, which has no jobs`);
  return names.length === 0
    ? all
    : [...new Set(names)].map((name) => {
        const found = all.find((job) => job.name === name);
        if (found === undefined) throw invalidArgument('job', name, `one of ${file}: ${known}`);
        return found;
      });
}
