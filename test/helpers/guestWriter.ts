/**
 * A guest that writes all the time: lanes of random writes, zeroes and discards over pages of a zone, each page's value a
 * number that says when it was written. So whatever instant somebody shows, it can be told whether there was such a one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskData } from '../../lib/core/diskData.js';
import { openData } from '../../lib/host/data.js';

export const PAGE = 4096;
const LANES = 3;

/** A page whose bytes all say the number; 0 is a page of zeros. */
export function pageOfValue(value: number): Buffer {
  const page = Buffer.alloc(PAGE);
  new Uint32Array(page.buffer, page.byteOffset, PAGE / 4).fill(value);
  return page;
}

/** The number that a page says; throws for a torn one. */
export function valueOfPage(page: Uint8Array): number {
  // A copy: a Buffer need not start where words may.
  const words = new Uint32Array(Uint8Array.from(page).buffer);
  const [value = 0] = words;
  const torn = words.findIndex((word) => word !== value);
  if (torn >= 0) throw new Error(`a page of ${value} has ${words[torn]} at byte ${4 * torn}`);
  return value;
}

/** Numbers from a seed; the same seed, the same history. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface PageLog {
  /** When and what, oldest first; the first entry is what was there at the start. */
  writes: { at: number; value: number }[];
  /** The latest that the guest knows to be done. */
  acked: number;
}

/** What was done and what was under way at a moment. */
export type WriterMark = readonly { acked: number; issued: number }[];

export class GuestWriter {
  readonly #data: DiskData;
  readonly #log: PageLog[];
  readonly #lanes: Promise<void>[];
  readonly #waiting = new Set<() => void>();
  #stopping = false;
  #clock = 1;
  /** Writes that were done. */
  done = 0;
  /** Why it could not go on; null while it can. */
  failed: unknown = null;

  private constructor(
    data: DiskData,
    readonly zoneBytes: number,
    readonly pages: number,
    initial: readonly number[],
    random: (below: number) => number,
    private readonly restMs: number,
    private readonly onWrite: (offset: number, length: number) => void,
  ) {
    this.#data = data;
    this.#clock += initial.reduce((most, value) => Math.max(most, value), 0);
    this.#log = initial.map((value) => ({ writes: [{ at: 0, value }], acked: 0 }));
    this.#lanes = Array.from({ length: LANES }, (_, lane) =>
      this.#run(lane, random).catch((error: unknown) => {
        this.failed ??= error;
        this.#tell();
      }),
    );
  }

  /**
   * Starts on an export; `zoneBytes` is where its pages start, on a 64 KiB border. `restMs`: how long a lane rests after each
   * write. Without a rest it takes whatever the processors have, which only helps to catch an instant.
   */
  static async start(
    socket: string,
    exportName: string,
    options: {
      zoneBytes: number;
      pages: number;
      seed: number;
      restMs?: number;
      onWrite?: (offset: number, length: number) => void;
    },
  ): Promise<GuestWriter> {
    const { zoneBytes, pages, seed, restMs = 0, onWrite = () => undefined } = options;
    const data = await openData({ kind: 'unix', path: socket, exportName });
    const now = await data.read(zoneBytes, pages * PAGE);
    const initial = Array.from({ length: pages }, (_, i) =>
      valueOfPage(now.subarray(i * PAGE, (i + 1) * PAGE)),
    );
    return new GuestWriter(data, zoneBytes, pages, initial, seededRandom(seed), restMs, onWrite);
  }

  /** Settles when so many more writes are done, or it failed. */
  async progress(writes: number): Promise<void> {
    const until = this.done + writes;
    while (this.done < until && this.failed === null)
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    if (this.failed !== null) throw this.failed;
  }

  mark(): WriterMark {
    return this.#log.map(({ writes, acked }) => ({ acked, issued: writes.at(-1)?.at ?? 0 }));
  }

  /** Why these bytes of the zone cannot be of an instant between two marks; null when they can. */
  whyNotBetween(zone: Uint8Array, from: WriterMark, to: WriterMark): string | null {
    for (const [index, { writes }] of this.#log.entries()) {
      const value = valueOfPage(zone.subarray(index * PAGE, (index + 1) * PAGE));
      const [first, last] = [from[index]?.acked ?? 0, to[index]?.issued ?? 0];
      const allowed = writes.filter(({ at }) => at >= first && at <= last).map((write) => write.value);
      if (!allowed.includes(value)) return `page ${index} says ${value}, it was one of ${allowed.join(', ')}`;
    }
    return null;
  }

  /** Ends the writing when what is under way is done. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#lanes);
    await this.#data.flush().catch(() => undefined);
    await this.#data.close().catch(() => undefined);
  }

  /** What the pages hold after a stop without a failure. */
  values(): number[] {
    return this.#log.map(({ writes }) => writes.at(-1)?.value ?? 0);
  }

  async #run(lane: number, random: (below: number) => number): Promise<void> {
    while (!this.#stopping) {
      const index = lane + LANES * random(Math.floor((this.pages - lane - 1) / LANES) + 1);
      const log = this.#log[index];
      if (log === undefined) continue;
      const at = this.#clock;
      this.#clock += 1;
      const zero = random(4) === 0;
      const offset = this.zoneBytes + index * PAGE;
      log.writes.push({ at, value: zero ? 0 : at });
      this.onWrite(offset, PAGE);
      if (zero) await this.#data.zero(Float64Array.of(offset, PAGE));
      else await this.#data.write(offset, pageOfValue(at));
      log.acked = at;
      this.done += 1;
      this.#tell();
      if (this.restMs > 0) await sleep(this.restMs);
    }
  }

  /** Whoever waits looks again. */
  #tell(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }
}
