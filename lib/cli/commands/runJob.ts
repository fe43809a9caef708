/** One job: its first hook, its VMs one after the other, and who is told of it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { HostJob } from '../../host/hostSchema.js';
import type { HostVm } from '../../host/hostVm.js';
import type { Inventory } from '../../host/inventory.js';
import { onFile } from '../../linux/fileFault.js';
import { worseOf } from '../exitCode.js';
import type { CliIo } from '../io.js';
import { toCbtError } from '../report.js';
import { errorLine } from '../sourceFlags.js';
import { folderNameOf, foldersIn } from './backupAll.js';
import { runHook } from './jobHook.js';
import { abortedError, type JobReport, type VmReport, withError } from './jobReport.js';
import { type ChosenVm, runVm } from './runJobVm.js';
import { reportPathOf, tellOfJob } from './tellOfJob.js';

export interface JobWork {
  job: HostJob;
  inventory: Inventory;
  json: boolean;
}

/** What fails is in the report, and so is the end by a signal; it never throws for either. */
export async function runJob(io: CliIo, work: JobWork): Promise<JobReport> {
  const { job, json } = work;
  const startedAt = new Date().toISOString();
  const vms: VmReport[] = [];
  const errors: CbtError[] = [];
  const fail = (error: CbtError): void => {
    errors.push(error);
    if (!json && !io.signal.aborted) io.stderr.write(errorLine(job.name, error));
  };
  try {
    await runHook(io, job, 'before', { exitCode: 0, reportPath: reportPathOf(job) });
    // Not before: the hook may mount it.
    await onFile(job.to, 'making', () => mkdir(job.to, { recursive: true, mode: 0o750 }));
    const chosen = await vmsOf(work);
    const found = chosen.flatMap(({ vm }) => (vm instanceof Error ? [] : [vm]));
    const folderOf = await foldersIn(job.to, found);
    const { keep, ...keepingAll } = job;
    const misspelt = misspeltProtection(keep?.protect, chosen);
    if (misspelt !== null) fail(misspelt);
    const asked = misspelt === null ? work : { job: keepingAll, json };
    for (const vmOfJob of chosen) {
      const { name, vm } = vmOfJob;
      const to = join(job.to, vm instanceof Error ? folderNameOf(name) : folderOf(vm));
      vms.push(await runVm(io, asked, vmOfJob, to));
    }
  } catch (thrown) {
    fail(toCbtError(thrown));
  }
  if (io.signal.aborted) errors.push(abortedError(io.signal));
  const exitCode = vms.map((vm) => vm.exitCode).reduce(worseOf, 0);
  const finishedAt = new Date().toISOString();
  const report: JobReport = { job: job.name, startedAt, finishedAt, exitCode, vms, errors: [] };
  return tellOfJob(io, work, errors.reduce(withError, report));
}

/** VMs by name, all of a libvirt, or all of the host file; none at all is a mistake, as `backup --all` has it. */
async function vmsOf({ job, inventory }: JobWork): Promise<readonly ChosenVm[]> {
  const all = await (job.libvirt === undefined ? inventory.vms() : inventory.domainsOf(job.libvirt));
  if (job.vms !== undefined) return job.vms.map((name) => ({ name, vm: vmNamed(name, all) }));
  if (all.length === 0)
    throw invalidArgument(
      'vms',
      'no VM',
      job.libvirt === undefined
        ? 'a host file that names VMs, or libvirt in the job'
        : `a libvirt with domains; ${job.libvirt} has none`,
    );
  return all.map((vm) => ({ name: vm.name, vm }));
}

/** What was to protect a run may protect none: nothing is forgotten then, and every VM is backed up all the same. */
function misspeltProtection(protect: object | undefined, chosen: readonly ChosenVm[]): CbtError | null {
  const names = chosen.map(({ name }) => name);
  const other = Object.keys(protect ?? {}).find((name) => !names.includes(name));
  return other === undefined
    ? null
    : invalidArgument('keep.protect', other, `a VM of the job (nothing is pruned): ${names.join(', ')}`);
}

/** By its name and nothing else: what is there of that name in this folder is no VM of a job. */
function vmNamed(name: string, all: readonly HostVm[]): HostVm | CbtError {
  const [found, other] = all.filter((vm) => vm.name === name);
  if (found !== undefined && other === undefined) return found;
  if (found !== undefined) return invalidArgument('vms', name, 'the name of one VM; two have it');
  const silent = all.filter(({ unknown }) => unknown).map((vm) => vm.name);
  if (silent.length > 0)
    return new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `no VM that is known is named ${name}, and ${silent.join(', ')} does not answer`,
    );
  const names = all.map((vm) => vm.name).join(', ');
  return invalidArgument('vms', name, `a VM of the host file: ${names === '' ? 'it has none' : names}`);
}
