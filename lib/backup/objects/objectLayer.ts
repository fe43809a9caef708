/** A layer while it is made: two objects written at the same time, its data and its sums. */
import type { LayerTarget } from '../copyLayer.js';
import { type SumsEntry, SumsText } from '../sums.js';
import { type BackupTarget, targetFailed } from '../target.js';
import { HandedOn, untilAborted } from './handedOn.js';

/** Bytes on their way to the target. */
const QUEUE_BYTES = 16 << 20;
const SUMS_QUEUE_BYTES = 1 << 20;
/** An entry's line, and the most lines that a disk's clusters can make. */
const SUMS_LINE_BYTES = 120;

export class ObjectLayerWriter implements LayerTarget {
  readonly #data = new HandedOn(QUEUE_BYTES);
  readonly #sums = new HandedOn(SUMS_QUEUE_BYTES);
  readonly #writing: Promise<PromiseSettledResult<void>[]>;
  readonly #text: SumsText;

  constructor(
    target: BackupTarget,
    keys: { data: string; sums: string },
    { sizeBytes, signal }: { sizeBytes: number; signal: AbortSignal | undefined },
  ) {
    this.#text = new SumsText(sizeBytes);
    const write = async (key: string, data: HandedOn, atMostBytes: number): Promise<void> => {
      try {
        await target.write(key, untilAborted(data, signal), { atMostBytes, signal });
      } catch (error) {
        const failed = targetFailed(target, key, 'writing', error);
        this.#data.stop(failed);
        this.#sums.stop(failed);
        throw failed;
      }
    };
    const lines = Math.ceil(sizeBytes / 65_536) + 1;
    this.#writing = Promise.allSettled([
      write(keys.data, this.#data, sizeBytes),
      write(keys.sums, this.#sums, lines * SUMS_LINE_BYTES),
    ]);
  }

  async write(_offset: number, data: Uint8Array): Promise<void> {
    await this.#data.push(data);
  }

  /** Told by the sums. */
  async zero(): Promise<void> {}

  /** Adds a piece behind the last one. */
  async add(entry: SumsEntry): Promise<void> {
    this.#text.add(entry);
    if (this.#text.isFull) await this.#sums.push(this.#text.take());
  }

  /** Both objects are there afterwards. */
  async finish(): Promise<{ sha256: string; bytes: number }> {
    this.#text.end();
    await this.#sums.push(this.#text.take());
    this.#data.end();
    this.#sums.end();
    for (const written of await this.#writing) if (written.status === 'rejected') throw written.reason;
    return this.#text.sum();
  }

  /** Ends it without its objects; done when nothing is on its way any more. */
  async giveUp(error: unknown): Promise<void> {
    this.#data.end(error);
    this.#sums.end(error);
    await this.#writing;
  }
}
