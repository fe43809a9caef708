/** What `doctor` says about one disk: each finding with what it means and what to do. */
import type { CbtError, CbtReason } from '../../core/errors.js';
import type { PitList } from '../../core/trackedDisk.js';
import { type Leftover, mending } from '../../host/leftover.js';

export interface Finding {
  level: 'ok' | 'note' | 'problem';
  reason?: CbtReason | null;
  code?: string;
  message: string;
  /** What to do about it. */
  advice?: string;
  /** What --fix does about it. */
  mend?: Leftover['mend'];
}

export interface DiskReport {
  disk: string;
  findings: Finding[];
  /** Exit code that it stands for. */
  exitCode: number;
}

export const ADVICE: Record<CbtReason, string> = {
  CRASHED:
    'take a full backup, then `qemu-cbt reset`: the writes between the last clean stop and the crash are not known',
  MISSING: 'take a full backup, then `qemu-cbt reset`',
  UNKNOWN_PIT: 'take a full backup',
  OTHER_EPOCH: 'points of the ended history cannot be used; `qemu-cbt reset` clears them',
  NOT_RECORDING: 'take a full backup, then `qemu-cbt reset`',
  OVERLAY: 'commit the layers above, or go on: answers then count everything they hold as changed',
  GRANULARITY: 'take a full backup, then `qemu-cbt reset`',
  SIZE: 'take a full backup',
  VOLATILE:
    'use a qcow2 image, or qcow2 with an external raw data file, to keep points in time over a restart',
  FORMAT: 'convert the image to qcow2 version 3 (`qemu-img amend -o compat=1.1`) to track it',
  BUSY: 'wait, end what holds it, or ask the QEMU that holds it through its QMP socket',
  FOREIGN: 'it belongs to another program and is left alone',
};

/** What a new history heals: the one that was kept is over, and every point of it says so. */
const RESETTABLE: ReadonlySet<CbtReason> = new Set(['CRASHED', 'MISSING', 'NOT_RECORDING', 'GRANULARITY']);

/** `reset` starts a new history of this disk. */
export function findingsOf(list: PitList, reset: (signal?: AbortSignal) => Promise<unknown>): Finding[] {
  const findings: Finding[] = [];
  if (list.state === 'untracked')
    findings.push({ level: 'note', message: 'not tracked: no point in time of ours' });
  else findings.push({ level: 'ok', message: `${list.pits.length} point(s) in time in epoch ${list.epoch}` });
  for (const problem of list.problems) {
    const level = list.state === 'lost' ? 'problem' : 'note';
    findings.push({
      level,
      reason: problem.reason,
      message: problem.message,
      advice: ADVICE[problem.reason],
    });
  }
  const lost = findings.find(({ level, reason }) => level === 'problem' && reason && RESETTABLE.has(reason));
  if (lost !== undefined) {
    const what = 'reset: start a new history; the next backup of this disk is a full one';
    lost.mend = mending(what, async (signal) => void (await reset(signal)));
  }
  for (const message of list.notes) findings.push({ level: 'note', message });
  for (const bitmap of list.foreign) {
    const state = bitmap.inconsistent ? 'inconsistent' : bitmap.recording ? 'recording' : 'frozen';
    const message = `bitmap ${JSON.stringify(bitmap.name)} on ${bitmap.layer} is not ours (${state})`;
    findings.push({ level: 'note', reason: 'FOREIGN', message, advice: ADVICE.FOREIGN });
  }
  return findings;
}

export function findingOfError(error: CbtError): Finding {
  return {
    level: 'problem',
    code: error.code,
    reason: error.reason ?? null,
    message: error.message,
    ...(error.reason === undefined ? {} : { advice: ADVICE[error.reason] }),
  };
}

export function findingsOfLeftovers(leftovers: readonly Leftover[]): Finding[] {
  return leftovers.map(({ problem, message, advice, mend }) => ({
    level: problem ? 'problem' : 'note',
    message,
    ...(advice !== undefined && { advice }),
    ...(mend !== null && { mend }),
  }));
}
