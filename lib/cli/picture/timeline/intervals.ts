/**
 * The timeline of a disk: one interval for each pair of neighbouring points in time, the newest point up to now, and one for
 * each bitmap of somebody else. An interval that cannot be answered is kept, with the reason; only what says nothing about
 * the interval itself (QEMU is gone, the command was stopped) ends the work.
 */

import type { ChangeMap } from '../../../core/changeMap.js';
import type { Problem } from '../../../core/errors.js';
import { CbtError, type CbtErrorCode, trackingLost } from '../../../core/errors.js';
import { parsePoint } from '../../../core/point.js';
import type { ProgressEvent } from '../../../core/progress.js';
import type { ChangesOptions, PitList, TrackedDisk } from '../../../core/trackedDisk.js';
import { type Cells, collectCells } from './cells.js';

/** An end of an interval, as people are told it. */
export interface Label {
  /** Short: `#3`, `now`, the name of a bitmap. */
  short: string;
  /** The point as a command takes it, or what stands for it. */
  long: string;
  /** Only the long one tells this end from others of the timeline. */
  named?: boolean;
}

export interface Interval {
  from: Label;
  to: Label;
  answer:
    | { known: true; sizeBytes: number; granularityBytes: number; cells: Cells; warnings: readonly string[] }
    | { known: false; error: CbtError };
}

export interface Timeline {
  disk: string;
  sizeBytes: number;
  epoch: string | null;
  pitCount: number;
  intervals: Interval[];
  problems: readonly Problem[];
  notes: readonly string[];
}

export interface TimelineOptions {
  from?: string | undefined;
  to?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Intervals that are drawn, of all. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * More points in time than this are not drawn one by one: the oldest share one interval. As many bitmaps of others have
 * rows of their own: 512 rows are the most. With names of 1023 bytes that is a page of 10 MiB, drawn one second after it
 * was opened, zoomed with 40 ms a frame in a Chromium without a graphics processor; with plain names, below 3 MiB.
 */
export const MAX_INTERVALS = 256;

/** Cells over all intervals, some five characters each in the page. */
const MAX_CELLS = 240_000;
const MAX_CELLS_EACH = 32_768;

/** Says something about the machine or the caller, and nothing about the interval. */
const NOT_OF_THE_INTERVAL: ReadonlySet<CbtErrorCode> = new Set<CbtErrorCode>([
  'ERR_CBT_INVALID_ARGUMENT',
  'ERR_CBT_CLOSED',
  'ERR_CBT_BACKEND_UNAVAILABLE',
  'ERR_CBT_CONNECTION_LOST',
  'ERR_CBT_TIMEOUT',
  'ERR_CBT_ABORTED',
  'ERR_CBT_INTERNAL',
]);

interface Question {
  from: Label;
  to: Label;
  ask: Pick<ChangesOptions, 'from' | 'to'> | { error: CbtError };
}

export async function readTimeline(disk: TrackedDisk, options: TimelineOptions): Promise<Timeline> {
  const { signal, onProgress } = options;
  const list = await disk.pits({ signal });
  const questions = await questionsOf(disk, list, options);
  if (questions.length === 0) {
    const [problem] = list.problems;
    throw trackingLost(
      problem?.reason ?? 'UNKNOWN_PIT',
      problem?.message ?? 'the disk has no points in time to draw',
      { disk: disk.disk },
    );
  }
  const most = Math.min(MAX_CELLS_EACH, Math.floor(MAX_CELLS / questions.length));
  const intervals = await disk.onOneReading(
    async (changes) => {
      const read: Interval[] = [];
      for (const { from, to, ask } of questions) {
        const progress = ({ doneBytes, totalBytes }: ProgressEvent): void =>
          onProgress?.(read.length + doneBytes / Math.max(1, totalBytes), questions.length);
        const answer =
          'error' in ask
            ? ({ known: false, error: ask.error } as const)
            : await answerOf(() => changes({ ...ask, signal, onProgress: progress }), most);
        read.push({ from, to, answer });
      }
      return read;
    },
    { signal },
  );
  return {
    disk: disk.disk,
    sizeBytes: list.sizeBytes,
    epoch: list.epoch,
    pitCount: list.pits.length,
    intervals,
    problems: list.problems,
    notes: list.notes,
  };
}

async function answerOf(ask: () => Promise<ChangeMap>, most: number): Promise<Interval['answer']> {
  try {
    const map = await ask();
    const { sizeBytes, granularityBytes, warnings } = map;
    return { known: true, sizeBytes, granularityBytes, cells: await collectCells(map, most), warnings };
  } catch (error) {
    if (!(error instanceof CbtError) || NOT_OF_THE_INTERVAL.has(error.code)) throw error;
    return { known: false, error };
  }
}

const NOW: Label = { short: 'now', long: 'the disk as it is now' };

async function questionsOf(
  disk: TrackedDisk,
  list: PitList,
  { from, to, signal }: TimelineOptions,
): Promise<Question[]> {
  if (from === undefined && to === undefined) return [...ofChain(list.pits), ...ofOthers(list)];
  const { from: first, to: last } = await disk.changes({
    from: from ?? list.pits[0]?.pit ?? '*',
    to,
    signal,
  });
  const start = list.pits.findIndex((one) => one.pit === first);
  const end = last === null ? list.pits.length : list.pits.findIndex((one) => one.pit === last);
  if (start >= 0 && end > start) return ofChain(list.pits.slice(start, end + 1), last === null);
  // A bitmap of somebody else, what holds data: nothing lies between.
  const until = last === null ? NOW : { short: 'later', long: last };
  const since = first === '*' ? { short: 'holds data', long: '*' } : { short: 'bitmap', long: first };
  return [{ from: since, to: until, ask: { from: first, to } }];
}

function ofChain(pits: PitList['pits'], upToNow = true): Question[] {
  const points: { label: Label; point?: string }[] = pits.map(({ sequence, pit }) => ({
    label: { short: `#${sequence}`, long: pit },
    point: pit,
  }));
  if (upToNow && points.length > 0) points.push({ label: NOW });
  const skipped = points.length - 1 - MAX_INTERVALS;
  if (skipped > 0) points.splice(1, skipped);
  return points.slice(1).map(({ label, point }, n) => {
    const before = points[n] ?? { label: NOW };
    return { from: before.label, to: label, ask: { from: before.point ?? '', to: point } };
  });
}

/** Bitmaps of others answer "since then" and nothing else; of very many the last ones are asked. */
function ofOthers({ disk, foreign }: PitList): Question[] {
  return foreign.slice(-MAX_INTERVALS).map(({ name, pit }) => {
    const from = pit ?? name;
    return {
      from: { short: 'bitmap', long: name, named: true },
      to: NOW,
      ask: isBitmapName(from) ? { from } : { error: misleadingName(name, disk) },
    };
  });
}

/** A bitmap may be called `*`, or like a changeId: asked so, another question would be answered. */
function isBitmapName(name: string): boolean {
  try {
    const { kind } = parsePoint('from', name);
    return kind === 'pit' || kind === 'name';
  } catch (error) {
    if (error instanceof CbtError) return false;
    throw error;
  }
}

function misleadingName(name: string, disk: string): CbtError {
  const what = `the name of bitmap ${JSON.stringify(name)} cannot be asked for: it reads as something else`;
  return trackingLost('FOREIGN', what, { disk });
}
