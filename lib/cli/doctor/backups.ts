/** What `doctor` says about a backup folder, and about a disk that is backed up into one. */
import { readdir } from 'node:fs/promises';
import { listRuns } from '../../backup/listing/listRuns.js';
import type { ListedDisk, ListedRun, NewestCheck, RunList } from '../../backup/listing/listSchema.js';
import { MARK_NAME } from '../../backup/mark.js';
import { parseManifestName } from '../../backup/names.js';
import type { PitList } from '../../core/trackedDisk.js';
import { localTime } from '../localTime.js';
import { formatBytes } from '../picture/units.js';
import type { DiskReport, Finding } from './findings.js';

/** Whether a folder is one of backups: by its mark, or by a manifest. */
export async function isBackupFolder(path: string): Promise<boolean> {
  const names = await readdir(path).catch((): string[] => []);
  return names.some((name) => name === MARK_NAME || parseManifestName(name) !== null);
}

/** What manifests and names tell; whether the bytes are sound says `verify`. */
export async function examineBackups(path: string, signal: AbortSignal): Promise<DiskReport> {
  const list = await listRuns({ from: path, signal });
  const { runs, damaged, merging, problems, freeBytes } = list;
  const findings: Finding[] = [];
  const newest = runs.at(-1);
  const room = freeBytes === null ? '' : `, room for ${formatBytes(freeBytes)}`;
  if (newest === undefined) findings.push({ level: 'note', message: `a backup folder without a run${room}` });
  else
    findings.push({
      level: 'ok',
      message: `${runs.length} run(s), the newest, ${newest.run}, of ${localTime(newest.startedAt)}${room}`,
    });
  const bad = (message: string, advice: string): number =>
    findings.push({ level: 'problem', code: 'ERR_CBT_CORRUPT_IMAGE', message, advice });
  for (const { message } of damaged)
    bad(message, 'put a good copy of the manifest in its place, or move that one file away');
  for (const message of problems) bad(message, 'qemu-cbt verify says whether the runs are sound');
  for (const message of brokenIn(list))
    bad(message, 'take a full backup (qemu-cbt backup --full), then prune');
  for (const { disk, message } of newest?.failed ?? [])
    findings.push({ level: 'note', message: `${disk} failed in run ${newest?.run}: ${message}` });
  if (merging !== null)
    findings.push({
      level: 'note',
      message: `run ${merging.below} is being merged into run ${merging.above}, or a prune was interrupted there; every run can be read`,
      advice: 'the next backup or prune finishes it',
    });
  if (runs.length > 0)
    findings.push({ level: 'note', message: `no byte was read: qemu-cbt verify --from ${path} does` });
  return { disk: path, findings, exitCode: findings.some(({ level }) => level === 'problem') ? 4 : 0 };
}

/** One line for each reason, with the runs that it spoils. */
function brokenIn({ runs }: RunList): string[] {
  const found = new Map<string, number[]>();
  for (const { run, disks } of runs)
    for (const { disk, problem } of disks)
      if (problem !== null)
        found.set(`${disk}: ${problem}`, [...(found.get(`${disk}: ${problem}`) ?? []), run]);
  return [...found].map(
    ([problem, numbers]) => `${problem}; ${numbers.length} run(s) cannot be restored: ${shortly(numbers)}`,
  );
}

function shortly(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 5).join(', ');
  return numbers.length > 5 ? `${shown} … ${numbers.at(-1)}` : shown;
}

/** What a disk is asked beside: its own points, and which runs of the folder are whole, with the files of their layers. */
export interface Against {
  list: RunList;
  /** Of the same folder, whatever the age. */
  newest: NewestCheck;
}

/** Whether the disk still has the points that a folder's runs expect of it, and those runs what the next one stands on. */
export function findingsAgainst({ list, newest: check }: Against, pits: PitList): Finding[] {
  const { runs, folder } = list;
  const { epoch, disk, state } = pits;
  const of = (test: (listed: ListedDisk) => boolean) => runs.filter(({ disks }) => disks.some(test));
  const isOwn = (listed: ListedDisk): boolean => epoch !== null && listed.epoch === epoch;
  const own = of(isOwn);
  const newest = own.at(-1);
  if (newest === undefined) {
    const named = of((listed) => listed.disk === disk || disk.endsWith(`#${listed.disk}`)).at(-1);
    const was =
      named === undefined ? 'has no run of this disk' : `has it up to run ${named.run}, of another history`;
    const reason = named === undefined ? null : ('OTHER_EPOCH' as const);
    return [{ level: 'note', reason, message: `${folder} ${was}: the next backup into it is full` }];
  }
  // Why it ended is a finding of its own.
  if (state !== 'recording') {
    const message = `the next backup into ${folder} is full: the history that run ${newest.run} is of has ended`;
    return [{ level: 'problem', message }];
  }
  const has = new Set(pits.pits.map(({ pit }) => pit));
  const problemOf = ({ run, disks }: ListedRun): string | null => {
    const listed = disks.find(isOwn);
    const whole = check.disks.find(({ series }) => series === listed?.series);
    if (listed?.problem != null) return listed.problem;
    // The newest that is whole was looked for from the newest on.
    return whole === undefined || run > (whole.run ?? 0) ? (whole?.problem ?? 'it is not whole') : null;
  };
  const usable = own.findLast((run) => has.has(run.pit) && problemOf(run) === null);
  if (usable === newest)
    return [
      {
        level: 'ok',
        message: `the next backup into ${folder} builds on run ${newest.run}, of ${localTime(newest.startedAt)}`,
      },
    ];
  const then =
    usable === undefined ? 'the next backup is full' : `the next backup builds on run ${usable.run} instead`;
  const level = usable === undefined ? 'problem' : 'note';
  const problem = problemOf(newest);
  if (has.has(newest.pit) && problem !== null)
    return [
      {
        level: 'problem',
        code: 'ERR_CBT_CORRUPT_IMAGE',
        message: `run ${newest.run} of ${folder} cannot be built on (${problem}): ${then}`,
        advice: 'qemu-cbt verify says what is sound',
      },
    ];
  return [
    {
      level,
      reason: 'UNKNOWN_PIT',
      message: `run ${newest.run} of ${folder} expects the point in time ${newest.pit}, which the disk no longer has: ${then}`,
      advice:
        'something forgot it, or the image is an older copy of itself; nothing has to be done but that backup',
    },
  ];
}
