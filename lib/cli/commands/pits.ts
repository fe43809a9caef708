/** `qemu-cbt pits`: the points in time of a disk, the bitmaps of others, and what is wrong. */
import type { PitList } from '../../core/trackedDisk.js';
import { type CliIo, write, writeJson } from '../io.js';
import { type OpenOptions, openForCommand } from '../openForCommand.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';

export interface PitsFlags extends OpenOptions {
  json?: boolean;
}

export async function pits(io: CliIo, disk: string, flags: PitsFlags): Promise<void> {
  await using opened = await openForCommand(io, disk, flags);
  const list = await opened.pits({ signal: io.signal });
  await (flags.json ? writeJson(io, list) : write(io.stdout, describePits(list)));
}

function describePits(list: PitList): string {
  const lines = [`${printable(list.disk)}: ${formatBytes(list.sizeBytes)}, ${STATE[list.state]}`];
  if (list.epoch !== null) lines.push(`epoch ${list.epoch}`);
  if (list.pits.length > 0) {
    lines.push('', ` seq  ${'PIT'.padEnd(36)}  granularity  changed until the next`);
    for (const pit of list.pits) {
      const changed = pit.changedBytes === null ? 'not readable' : formatBytes(pit.changedBytes);
      const recording = pit.recording ? '  recording' : '';
      lines.push(
        `${String(pit.seq).padStart(4)}  ${pit.uuid}  ${formatBytes(pit.granularityBytes).padStart(11)}  ${changed}${recording}`,
      );
    }
  }
  if (list.foreign.length > 0) {
    lines.push('', 'bitmaps that are not ours:');
    for (const bitmap of list.foreign) {
      const flags = [
        bitmap.recording ? 'recording' : 'frozen',
        ...(bitmap.inconsistent ? ['inconsistent'] : []),
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

const STATE: Record<PitList['state'], string> = {
  untracked: 'not tracked',
  recording: 'tracked',
  overlay: 'tracked below an overlay: answers are wider than the changes',
  lost: 'tracking lost: take a full backup, then reset',
};
