/** `qemu-cbt pits`: the points in time of a disk, the bitmaps of others, and what is wrong; with a backup folder, when each was taken. */
import { listRuns } from '../../backup/listing/listRuns.js';
import { CbtError } from '../../core/errors.js';
import type { PitList } from '../../core/trackedDisk.js';
import { domainCheckpoints } from '../../host/domainNotes.js';
import { type CliIo, write, writeJson } from '../io.js';
import { localTime } from '../localTime.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { columns } from '../table.js';

export interface PitsFlags extends OpenOptions {
  from?: string;
  json?: boolean;
}

export async function pits(io: CliIo, disk: string, flags: PitsFlags): Promise<void> {
  await using opened = await openForCommand(io, disk, flags);
  const list = await opened.pits({ signal: io.signal });
  const runs = flags.from === undefined ? null : await runsOf(list, flags.from, io.signal);
  const checkpoints = await checkpointsOf(io, disk);
  const foreign = list.foreign.map((bitmap) => {
    const { takenAt, parent } = checkpoints.find(({ name }) => name === bitmap.name) ?? {};
    return takenAt === undefined ? bitmap : { ...bitmap, checkpoint: { takenAt, parent } };
  });
  if (!flags.json) return await write(io.stdout, describePits({ ...list, foreign }, runs));
  const pits = list.pits.map((point) => ({
    ...point,
    ...(runs !== null && (runs.get(point.pit) ?? { run: null, takenAt: null })),
  }));
  await writeJson(io, { ...list, pits, foreign });
}

/** They only add words to the list: where libvirt does not tell them, that is said, and the list stands. */
async function checkpointsOf(io: CliIo, disk: string): ReturnType<typeof domainCheckpoints> {
  try {
    return await domainCheckpoints(disk, { signal: io.signal });
  } catch (error) {
    if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
    await write(io.stderr, `note: which bitmaps are checkpoints is not known: ${printable(error.message)}\n`);
    return [];
  }
}

/** In which run of a folder a point was taken, and when. */
type Runs = ReadonlyMap<string, { run: number; takenAt: string }>;

/** Of the disk's own history; a point of another disk may have the same UUID. */
async function runsOf({ epoch }: PitList, from: string, signal: AbortSignal): Promise<Runs> {
  const { runs } = await listRuns({ from, signal });
  const own = runs.filter(({ disks }) => epoch !== null && disks.some((disk) => disk.epoch === epoch));
  return new Map(own.map(({ pit, run, startedAt }) => [pit, { run, takenAt: startedAt }]));
}

/** A bitmap of somebody else; `checkpoint` where it is one of libvirt's. */
type Foreign = PitList['foreign'][number] & {
  checkpoint?: { takenAt: string | null; parent: string | null | undefined };
};

function describePits(list: PitList & { foreign: Foreign[] }, runs: Runs | null): string {
  const lines = [`${printable(list.disk)}: ${formatBytes(list.sizeBytes)}, ${STATE[list.state]}`];
  if (list.epoch !== null) lines.push(`epoch ${list.epoch}`);
  if (list.pits.length > 0) {
    const taken = (pit: string): string[] => {
      const found = runs?.get(pit);
      if (runs === null) return [];
      return found === undefined ? ['-', '-'] : [localTime(found.takenAt), String(found.run)];
    };
    const head = [
      'seq',
      'PIT',
      ...(runs === null ? [] : ['taken', 'run']),
      'granularity',
      'changed until the next',
    ];
    const rows = list.pits.map((point) => [
      String(point.sequence),
      point.pit,
      ...taken(point.pit),
      formatBytes(point.granularityBytes),
      `${point.changedBytes === null ? 'not readable' : formatBytes(point.changedBytes)}${point.recording ? '  recording' : ''}`,
    ]);
    lines.push('', ...columns(head, rows, new Set(['seq', 'run', 'granularity'])));
  }
  if (list.foreign.length > 0) {
    lines.push('', 'bitmaps that are not ours:');
    for (const bitmap of list.foreign) {
      const flags = [
        bitmap.recording ? 'recording' : 'frozen',
        ...(bitmap.inconsistent ? ['inconsistent'] : []),
        ...checkpointText(bitmap),
      ].join(', ');
      lines.push(
        `  ${printable(JSON.stringify(bitmap.name))}  ${formatBytes(bitmap.granularityBytes)}, ${flags}`,
      );
    }
  }
  for (const problem of list.problems)
    lines.push('', `problem [${problem.reason}] ${printable(problem.message)}`);
  return `${lines.join('\n')}\n`;
}

function checkpointText({ checkpoint }: Foreign): string[] {
  if (checkpoint === undefined) return [];
  const { takenAt, parent } = checkpoint;
  const taken = takenAt === null ? '' : ` of ${localTime(takenAt)}`;
  return [`checkpoint${taken}${parent ? `, after ${printable(JSON.stringify(parent))}` : ''}`];
}

const STATE: Record<PitList['state'], string> = {
  untracked: 'not tracked',
  recording: 'tracked',
  overlay: 'tracked below an overlay: answers are wider than the changes',
  lost: 'tracking lost: take a full backup, then reset',
};
