/** `qemu-cbt list`: the runs of a backup folder, or whether the newest good ones are young enough. */
import { checkNewest } from '../../backup/listing/checkNewest.js';
import { listRuns } from '../../backup/listing/listRuns.js';
import type { ListedDisk, NewestCheck, RunList } from '../../backup/listing/listSchema.js';
import { CbtError, invalidArgument } from '../../core/errors.js';
import { NOT_AS_WANTED } from '../exitCode.js';
import { type CliIo, tell, tellJson, write, writeJson } from '../io.js';
import { type KeepFlags, rulesOf } from '../keepFlags.js';
import { ageText, localTime, localZone } from '../localTime.js';
import { parseAge } from '../options.js';
import { formatBytes } from '../picture/units.js';
import { printable, warn } from '../report.js';
import { columns } from '../table.js';

export interface ListFlags extends KeepFlags {
  check?: string;
  disk?: string[];
  vm?: string;
  strict?: boolean;
  json?: boolean;
}

export async function listCommand(io: CliIo, folder: string, flags: ListFlags): Promise<number> {
  const rules = rulesOf(flags);
  if (flags.check !== undefined) {
    if (rules !== null)
      throw invalidArgument('--check', flags.check, 'left out where rules to keep are given');
    return checkCommand(io, folder, flags, parseAge('--check', flags.check));
  }
  for (const [option, value] of Object.entries({
    '--disk': flags.disk,
    '--vm': flags.vm,
    '--strict': flags.strict,
  }))
    if (value !== undefined) throw invalidArgument(option, value, 'left out without --check');
  const list = await listRuns({ from: folder, rules: rules ?? undefined, signal: io.signal });
  if (list.runs.length === 0 && list.damaged.length === 0)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${list.folder} holds no backup`, {
      details: { path: list.folder },
    });
  if (flags.json) await writeJson(io, list);
  else await write(io.stdout, describe(list));
  return 0;
}

async function checkCommand(
  io: CliIo,
  folder: string,
  { disk: disks, vm, strict, json }: ListFlags,
  maxAgeMs: number,
): Promise<number> {
  const result = await checkNewest({ from: folder, maxAgeMs, disks, vm, strict, signal: io.signal });
  // Who does not hear the answer out gets its exit code all the same.
  if (json) await tellJson(io, result);
  else {
    for (const problem of result.problems) warn(io, problem);
    await tell(io, describeCheck(result));
  }
  return result.good ? 0 : NOT_AS_WANTED;
}

function describeCheck({ disks, folder }: NewestCheck): string {
  if (disks.length === 0) return `NOT GOOD ${printable(folder)}: no run\n`;
  return disks
    .map(({ disk, good, run, startedAt, ageMs, problem }) => {
      const newest =
        run === null || startedAt === null || ageMs === null
          ? 'none'
          : `run ${run}, ${localTime(startedAt)} (${ageText(ageMs)} ago)`;
      return `${good ? 'good    ' : 'NOT GOOD'} ${printable(disk)}: ${newest}${problem === null ? '' : `; ${printable(problem)}`}\n`;
    })
    .join('');
}

function describe(list: RunList): string {
  const { folder, runs, storedBytes, freeBytes, damaged, merging, problems } = list;
  const room = freeBytes === null ? 'room not known' : `room for ${formatBytes(freeBytes)}`;
  const count = `${runs.length} run${runs.length === 1 ? '' : 's'}`;
  const lines = [
    `${printable(folder)}: ${ownersText(list)}, ${count}, ${formatBytes(storedBytes)} stored, ${room}`,
  ];
  if (runs.length > 0) lines.push('', ...tableOf(list));
  for (const { run, file, message } of damaged)
    lines.push(
      '',
      `run ${run} is not listed, ${printable(message.includes(file) ? message : `${file}: ${message}`)}`,
    );
  if (merging !== null)
    lines.push(
      '',
      `run ${merging.below} is being merged into run ${merging.above} (${printable(merging.key)}), or a prune was interrupted there`,
    );
  for (const problem of problems) lines.push('', printable(problem));
  return `${lines.join('\n')}\n`;
}

/** Without a mark the runs say it. */
function ownersText({ owners, runs }: RunList): string {
  const all = owners.length > 0 ? owners : runs.map(({ source }) => source);
  const named = new Set(
    all.map(({ kind, name, uuid }) =>
      kind === 'vm' ? `VM ${printable(name ?? uuid ?? 'without a name')}` : 'images',
    ),
  );
  return named.size === 0 ? 'owner not known' : [...named].join(', ');
}

function tableOf({ runs, owners }: RunList): string[] {
  const several = owners.length > 1;
  const ruled = runs.some(({ keptBy }) => keptBy !== null);
  const head = [
    'run',
    `begun (${localZone(runs.at(-1)?.startedAt ?? new Date().toISOString())})`,
    ...(several ? ['VM'] : []),
    'disk',
    'changed',
    'stored',
    ...(ruled ? ['kept by'] : []),
    'kind',
  ];
  const rows: string[][] = [];
  for (const run of runs) {
    const first = [String(run.run), localTime(run.startedAt)];
    const vm = several ? [printable(run.source.name ?? run.source.uuid ?? 'images')] : [];
    const kept = ruled ? [run.keptBy === null || run.keptBy.length === 0 ? '-' : run.keptBy.join(', ')] : [];
    for (const disk of run.disks)
      rows.push([
        ...first,
        ...vm,
        printable(disk.disk),
        formatBytes(disk.changedBytes),
        formatBytes(disk.storedBytes),
        ...kept,
        kindOf(disk),
      ]);
    for (const { disk, message } of run.failed)
      rows.push([...first, ...vm, printable(disk), '-', '-', ...kept, `failed: ${printable(message)}`]);
  }
  const right = new Set(['run', 'changed', 'stored']);
  return columns(head, rows, right);
}

function kindOf({ verdict, reason, message, base, problem }: ListedDisk): string {
  const why = [reason, message].filter((part) => part !== null).join(': ');
  const built = base === null ? '' : ` on ${base}`;
  const broken = problem === null ? '' : `; CANNOT BE RESTORED: ${printable(problem)}`;
  return `${verdict}${built}${why === '' ? '' : `, ${printable(why)}`}${broken}`;
}
