/**
 * Progress of work that moves bytes: a bar with rate and time left on a terminal, a line with its time every few
 * seconds elsewhere, or the same as a JSON event. Always stderr, and nothing at all for work that is over at once.
 */
import type { ProgressEvent } from '../core/progress.js';
import type { CliIo } from './io.js';
import { localTime } from './localTime.js';
import { formatBytes } from './picture/units.js';
import { drawingOn } from './terminalText.js';

const BAR_AFTER_MS = 700;
const REDRAW_EVERY_MS = 200;
const LINE_EVERY_MS = 5_000;
const BAR_COLUMNS = 24;

export class TransferProgress {
  readonly #io: CliIo;
  readonly #label: string;
  readonly #json: boolean;
  readonly #now: () => number;
  readonly #wallClock: () => Date;
  readonly #startedAt: number;
  #toldAt: number | null = null;
  #drawn = false;

  constructor(
    io: CliIo,
    label: string,
    {
      json = false,
      now = () => performance.now(),
      wallClock = () => new Date(),
    }: { json?: boolean; now?: () => number; wallClock?: () => Date } = {},
  ) {
    this.#wallClock = wallClock;
    this.#io = io;
    this.#label = label;
    this.#json = json;
    this.#now = now;
    this.#startedAt = now();
  }

  /** Cheap enough for every piece. */
  readonly update = ({ phase, disk, doneBytes, totalBytes, bytesPerSecond }: ProgressEvent): void => {
    if (totalBytes <= 0) return;
    const now = this.#now();
    const bar = Boolean(this.#io.stderr.isTTY) && !this.#json;
    const due =
      this.#toldAt === null
        ? this.#startedAt + (bar ? BAR_AFTER_MS : LINE_EVERY_MS)
        : this.#toldAt + (bar ? REDRAW_EVERY_MS : LINE_EVERY_MS);
    if (now < due) return;
    this.#toldAt = now;
    const secondsLeft = bytesPerSecond > 0 ? Math.round((totalBytes - doneBytes) / bytesPerSecond) : null;
    if (this.#json) {
      const event = {
        event: 'progress',
        at: this.#wallClock().toISOString(),
        work: this.#label,
        phase,
        disk,
        doneBytes,
        totalBytes,
        bytesPerSecond,
        secondsLeft,
      };
      this.#io.stderr.write(`${JSON.stringify(event)}\n`);
      return;
    }
    const share = Math.min(1, doneBytes / totalBytes);
    const percent = `${(100 * share).toFixed(0).padStart(3)} %`;
    const left = secondsLeft === null ? '' : `  ${formatSeconds(secondsLeft)} left`;
    const text = `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}  ${formatBytes(bytesPerSecond)}/s${left}`;
    if (bar) {
      const filled = Math.round(share * BAR_COLUMNS);
      const drawn = '#'.repeat(filled) + '-'.repeat(BAR_COLUMNS - filled);
      drawingOn(this.#io.stderr).write(`\r\x1b[K${this.#label} [${drawn}] ${percent}  ${text}`);
      this.#drawn = true;
    } else {
      const at = localTime(this.#wallClock().toISOString());
      this.#io.stderr.write(`${at} ${this.#label}: ${percent.trim()}  ${text}\n`);
    }
  };

  /** Removes the bar; nothing of it stays on the screen. */
  end(): void {
    if (this.#drawn) drawingOn(this.#io.stderr).write('\r\x1b[K');
    this.#drawn = false;
  }
}

export function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
