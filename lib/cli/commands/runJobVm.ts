/** A VM of a job: its backup, the look at its folder, and the prune. */
import type { KeepRules } from '../../backup/keepRules.js';
import { prune } from '../../backup/prune.js';
import { verify } from '../../backup/verify.js';
import type { CbtError } from '../../core/errors.js';
import type { HostJob } from '../../host/hostSchema.js';
import type { HostVm } from '../../host/hostVm.js';
import { exitCodeOf, NOT_AS_WANTED, worseOf } from '../exitCode.js';
import { type CliIo, tell } from '../io.js';
import { printable, toCbtError, warn } from '../report.js';
import { errorLine, withSource } from '../sourceFlags.js';
import { type BackupFlags, backupOnce } from './backup.js';
import { abortedError, type VmReport } from './jobReport.js';

/** A VM that a job names: the machine, or why there is none to back up. */
export interface ChosenVm {
  name: string;
  vm: HostVm | CbtError;
}

/** Never throws: what fails is in the report, and so is the end by a signal. */
export async function runVm(
  io: CliIo,
  { job, json }: { job: HostJob; json: boolean },
  { name, vm }: ChosenVm,
  to: string,
): Promise<VmReport> {
  const started = performance.now();
  const warnings: string[] = [];
  const report: VmReport = {
    vm: name,
    to,
    startedAt: new Date().toISOString(),
    exitCode: 0,
    seconds: 0,
    run: null,
    disks: [],
    warnings,
    error: null,
  };
  try {
    if (io.signal.aborted) throw abortedError(io.signal);
    if (!json) await tell(io, `${printable(job.name)}, ${printable(name)}:\n`);
    if (vm instanceof Error) throw vm;
    const flags = flagsOf(job, vm, to, json);
    const { result, exitCode } = await backupOnce(io, [], flags);
    Object.assign(report, { run: result.run, disks: result.disks, exitCode });
    report.error = result.disks.find((disk) => disk.error !== undefined)?.error ?? null;
    warnings.push(...result.warnings);
    // Of a VM whose newest run is not whole nothing is forgotten.
    if (exitCode === 0 || exitCode === NOT_AS_WANTED)
      await afterwards(io, { ...job, rules: rulesFor(job, name) }, flags, (warning) => {
        warnings.push(warning);
        if (!json) warn(io, warning);
      });
  } catch (thrown) {
    const error = toCbtError(thrown);
    const isEnd = error.code === 'ERR_CBT_ABORTED' && io.signal.aborted;
    report.error = isEnd ? abortedError(io.signal) : error;
    report.exitCode = worseOf(report.exitCode, exitCodeOf(error));
    if (!json && !isEnd) io.stderr.write(errorLine(name, error));
  }
  return { ...report, seconds: (performance.now() - started) / 1000 };
}

function flagsOf(job: HostJob, host: HostVm, to: string, json: boolean): BackupFlags {
  return {
    to,
    vm: host.name,
    host,
    json,
    ...(job.quiesce && { quiesce: true }),
    ...(job.strict && { strict: true }),
    ...(job.rate !== undefined && { rate: job.rate }),
  };
}

/** Null where nothing is to be forgotten. */
function rulesFor({ keep }: HostJob, vm: string): KeepRules | null {
  if (keep === undefined) return null;
  const { protect = {}, ...rules } = keep;
  return { ...rules, protect: Object.hasOwn(protect, vm) ? protect[vm]?.map(String) : undefined };
}

/** What the job asks for when the backup is there. Verified first: where the folder is not sound, the older runs may be all there is. */
async function afterwards(
  io: CliIo,
  { rules, verify: depth }: { rules: KeepRules | null; verify?: HostJob['verify'] },
  flags: BackupFlags,
  tellWarning: (warning: string) => void,
): Promise<void> {
  const { to: from } = flags;
  const { signal } = io;
  if (depth !== undefined) {
    const { problems, notes } = await verify({ from, depth, signal });
    for (const { file, message } of notes) tellWarning(`${file}: ${message}`);
    const [first, ...others] = problems;
    for (const { file, error } of others) tellWarning(`${file}: ${error.message}`);
    if (first !== undefined) throw first.error;
  }
  if (rules === null) return;
  const { warnings, layers } = await withSource(io, [], flags, (source) =>
    prune({ from, rules, source, signal }),
  );
  for (const warning of warnings) tellWarning(warning);
  for (const { run, disk, because } of layers)
    if (because !== undefined) tellWarning(`run ${run}, ${disk}: kept, ${because}`);
}
