/** One job: its hook, a backup of each VM, the prune and the look that it asks for, and who is told of it. */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prune } from '../../backup/prune.js';
import { verify } from '../../backup/verify.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import type { HostJob } from '../../host/hostSchema.js';
import type { HostVm } from '../../host/hostVm.js';
import type { Inventory } from '../../host/inventory.js';
import { onFile } from '../../linux/fileFault.js';
import { writeWholeFile } from '../../linux/wholeFile.js';
import { exitCodeOf, NOT_AS_WANTED, worseOf } from '../exitCode.js';
import { type CliIo, tell } from '../io.js';
import { printable, toCbtError } from '../report.js';
import { errorLine, withSource } from '../sourceFlags.js';
import { type BackupFlags, backupOnce } from './backup.js';
import { foldersIn } from './backupAll.js';
import { type JobReport, metricsOf, reportJson, type VmReport } from './jobReport.js';

const run = promisify(execFile);
export const REPORT_NAME = 'last-run.json';

export interface JobWork {
  job: HostJob;
  inventory: Inventory;
  json: boolean;
}

/** What fails is in the report; only a cancelled job throws. */
export async function runJob(io: CliIo, work: JobWork): Promise<JobReport> {
  const { job } = work;
  const startedAt = new Date().toISOString();
  const vms: VmReport[] = [];
  let error: CbtError | null = null;
  try {
    await onFile(job.to, 'making', () => mkdir(job.to, { recursive: true, mode: 0o750 }));
    await runHook(io, job, 'before', 0);
    const chosen = await vmsOf(work, io.signal);
    const folderOf = await foldersIn(job.to, chosen);
    for (const vm of chosen) {
      throwIfAborted(io.signal);
      vms.push(await runVm(io, work, vm, join(job.to, folderOf(vm))));
    }
  } catch (thrown) {
    throwIfAborted(io.signal);
    error = toCbtError(thrown);
    if (!work.json) io.stderr.write(errorLine(job.name, error));
  }
  const codes = vms.map(({ exitCode }) => exitCode);
  const exitCode = [...codes, error === null ? 0 : exitCodeOf(error)].reduce(worseOf, 0);
  const report = { job: job.name, startedAt, finishedAt: new Date().toISOString(), exitCode, vms, error };
  return tellOthers(io, work, report);
}

/** VMs that are named, all of a libvirt, or all of the host file. */
async function vmsOf({ job, inventory }: JobWork, signal: AbortSignal): Promise<readonly HostVm[]> {
  if (job.libvirt !== undefined) return inventory.domainsOf(job.libvirt);
  if (job.vms === undefined) return inventory.vms();
  const found: HostVm[] = [];
  for (const name of job.vms) found.push(await inventory.require(name, { signal }));
  return found;
}

async function runVm(io: CliIo, { job, json }: JobWork, vm: HostVm, to: string): Promise<VmReport> {
  const started = performance.now();
  const flags: BackupFlags = {
    to,
    vm: vm.name,
    host: vm,
    json,
    ...(job.quiesce && { quiesce: true }),
    ...(job.strict && { strict: true }),
    ...(job.rate !== undefined && { rate: job.rate }),
  };
  if (!json) await tell(io, `${printable(job.name)}, ${printable(vm.name)}:\n`);
  const report: VmReport = { vm: vm.name, to, exitCode: 0, seconds: 0, run: null, disks: [], error: null };
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const { result, exitCode } = await backupOnce(io, [], flags);
    Object.assign(report, { run: result.run, disks: result.disks, exitCode });
    report.error = result.disks.find((disk) => disk.error !== undefined)?.error ?? null;
    // Of a VM whose newest run is not whole nothing is forgotten.
    if (exitCode === 0 || exitCode === NOT_AS_WANTED) await afterwards(io, job, flags);
  } catch (thrown) {
    throwIfAborted(io.signal);
    const error = toCbtError(thrown);
    if (!json) io.stderr.write(errorLine(vm.name, error));
    return { ...report, seconds: seconds(), error, exitCode: worseOf(report.exitCode, exitCodeOf(error)) };
  }
  return { ...report, seconds: seconds() };
}

/** What the job asks for when the backup is there. */
async function afterwards(io: CliIo, { keep, verify: depth }: HostJob, flags: BackupFlags): Promise<void> {
  const { to: from } = flags;
  const { signal } = io;
  if (keep !== undefined)
    await withSource(io, [], flags, (source) => prune({ from, rules: keep, source, signal }));
  if (depth === undefined) return;
  const { problems } = await verify({ from, depth, signal });
  const [first] = problems;
  if (first !== undefined) throw first.error;
}

type HookName = 'before' | 'after' | 'failed';

async function runHook(io: CliIo, job: HostJob, name: HookName, exitCode: number): Promise<void> {
  const [program, ...args] = job[name] ?? [];
  if (program === undefined) return;
  const env = {
    ...process.env,
    QEMU_CBT_JOB: job.name,
    QEMU_CBT_EXIT: String(exitCode),
    QEMU_CBT_REPORT: join(job.to, REPORT_NAME),
  };
  try {
    const { stdout, stderr } = await run(program, args, { env, signal: io.signal });
    io.stderr.write(stdout + stderr);
  } catch (cause) {
    throwIfAborted(io.signal);
    const { stderr = '', message } = cause as Error & { stderr?: string };
    const said = stderr.trim() === '' ? (message.split('\n')[0] ?? '') : stderr.trim();
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${name}: ${program} failed: ${said}`, {
      details: { path: program },
      cause,
    });
  }
}

/** Files first: the hook may send them. What fails here is part of the report that is returned, and of no file. */
async function tellOthers(io: CliIo, { job, json }: JobWork, report: JobReport): Promise<JobReport> {
  try {
    await writeText(join(job.to, REPORT_NAME), `${JSON.stringify(reportJson(report), null, 2)}\n`);
    if (job.metrics !== undefined) await writeText(job.metrics, metricsOf(report));
    await runHook(io, job, report.exitCode === 0 ? 'after' : 'failed', report.exitCode);
    return report;
  } catch (thrown) {
    throwIfAborted(io.signal);
    const error = toCbtError(thrown);
    if (!json) io.stderr.write(errorLine(job.name, error));
    return { ...report, error: report.error ?? error, exitCode: worseOf(report.exitCode, exitCodeOf(error)) };
  }
}

/** Readable by whoever collects it. */
async function writeText(path: string, text: string): Promise<void> {
  await writeWholeFile(path, (file) => file.writeFile(text), { mode: 0o644, links: 'refuse' });
}
