/** A progress bar on stderr, drawn only on a terminal and only when the work takes long enough to wonder. */
import type { ProgressEvent } from '../core/progress.js';
import type { CliIo } from './io.js';
import { drawingOn } from './terminalText.js';

const FIRST_AFTER_MS = 700;
const REDRAW_EVERY_MS = 100;
const BAR_COLUMNS = 24;

export class ProgressBar {
  readonly #io: CliIo;
  readonly #label: string;
  readonly #startedAt = performance.now();
  #drawnAt: number | null = null;

  constructor(io: CliIo, label: string) {
    this.#io = io;
    this.#label = label;
  }

  /** Tells how far the work is; cheap enough for every page of a map. */
  readonly update = (done: number, total: number): void => {
    if (!this.#io.stderr.isTTY || total <= 0) return;
    const now = performance.now();
    const elapsed = now - this.#startedAt;
    if (elapsed < FIRST_AFTER_MS || (this.#drawnAt !== null && now - this.#drawnAt < REDRAW_EVERY_MS)) return;
    this.#drawnAt = now;
    const share = Math.min(1, done / total);
    const filled = Math.round(share * BAR_COLUMNS);
    const left = share > 0 ? `${Math.ceil((elapsed / share - elapsed) / 1000)} s left` : '';
    const bar = '#'.repeat(filled) + '-'.repeat(BAR_COLUMNS - filled);
    drawingOn(this.#io.stderr).write(
      `\r\x1b[K${this.#label} [${bar}] ${(100 * share).toFixed(0).padStart(3)} %  ${left}`,
    );
  };

  /** The same, as maps tell it. */
  readonly onProgress = ({ doneBytes, totalBytes }: ProgressEvent): void =>
    this.update(doneBytes, totalBytes);

  /** Removes the bar; nothing of it stays on the screen. */
  end(): void {
    if (this.#drawnAt !== null) drawingOn(this.#io.stderr).write('\r\x1b[K');
    this.#drawnAt = null;
  }
}
