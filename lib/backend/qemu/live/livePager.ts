/**
 * A pager over a map inside QEMU that holds the map only while it is needed: once its end has been read the map goes, and
 * comes back when it is asked again. A map of a moment that has passed cannot come back; it stays until it is closed.
 */
import { CbtError } from '../../../core/errors.js';
import type { RangePage, RangePager, Window } from '../../../core/rangePage.js';
import { untilAborted } from '../../../core/untilAborted.js';
import { UntilClosed } from '../../../core/untilClosed.js';
import { workHere } from '../../../watch/tracing.js';
import { nbdPager } from '../../nbd/nbdPager.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import type { LiveMap } from './liveMap.js';

/** The maps that one disk has in QEMU now. */
export class HeldMaps {
  /** Oldest use first. */
  readonly maps = new Set<LivePager>();
  readonly uses = new UntilClosed();
  /** Questions have the names of the work that the disk was opened in. */
  readonly #told = workHere();

  /** `disk`: as the caller named it. */
  constructor(
    readonly disk: string,
    readonly client: Pick<QmpPort, 'open' | 'ended'>,
  ) {}

  /**
   * What opens a map or reads one; `ERR_CBT_CLOSED` when the disk is closed. What fails with the QEMU gone says that it is gone. Commands to QEMU are not cancelled
   * half-way: where nobody waits for them any more, closing does.
   */
  async use<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await this.#told(() => untilAborted(this.uses.run(this.disk, work), signal));
    } catch (error) {
      if (this.client.open || this.uses.closed || CbtError.is(error, 'ERR_CBT_ABORTED')) throw error;
      const why = await this.client.ended;
      throw why.code === 'ERR_CBT_CLOSED' ? error : why.about(this.disk);
    }
  }

  async release(): Promise<void> {
    await Promise.all([...this.maps].map((map) => map.release()));
  }

  /** Gives every map back, which ends whoever reads one, and waits for those; `why`: they are lost. */
  async close(why?: CbtError): Promise<void> {
    this.uses.stop(why);
    await this.release();
    await this.uses.ended();
  }
}

export class LivePager {
  readonly pager: RangePager;
  readonly #open: (signal?: AbortSignal) => Promise<LiveMap>;
  readonly #sizeBytes: number;
  readonly #again: boolean;
  readonly #held: HeldMaps;
  #map: Promise<LiveMap> | null;
  #running = 0;
  #read = false;

  /** `again`: a map opened later says no less than this one did. */
  constructor(
    held: HeldMaps,
    open: (signal?: AbortSignal) => Promise<LiveMap>,
    first: LiveMap,
    { sizeBytes, again }: { sizeBytes: number; again: boolean },
  ) {
    this.#held = held;
    this.#open = open;
    this.#map = Promise.resolve(first);
    this.#sizeBytes = sizeBytes;
    this.#again = again;
    this.pager = nbdPager((window) => held.use(() => this.#ask(window), window.signal));
    held.maps.add(this);
  }

  get busy(): boolean {
    return this.#running > 0;
  }

  /** Gives the map back; asked again, the pager fails unless it can make a new one. */
  async release(): Promise<void> {
    const map = this.#map;
    this.#map = null;
    this.#held.maps.delete(this);
    await (await map?.catch(() => null))?.close();
  }

  async #ask(window: Window): Promise<RangePage> {
    this.#running += 1;
    try {
      const page = await (await this.#current(window.signal)).page(window);
      if (page.nextBytes >= this.#sizeBytes) this.#read = true;
      return page;
    } finally {
      this.#running -= 1;
      if (this.#read && this.#again && !this.busy) await this.release();
    }
  }

  async #current(signal: AbortSignal | undefined): Promise<LiveMap> {
    for (;;) {
      if (this.#map === null && !this.#again) {
        throw new CbtError(
          'ERR_CBT_CONNECTION_LOST',
          'this map was of a moment that has passed, and was given up: ask for the changes again',
        );
      }
      this.#read = false;
      this.#map ??= this.#open(signal);
      const map = this.#map;
      this.#held.maps.delete(this);
      this.#held.maps.add(this);
      try {
        return await map;
      } catch (error) {
        // Given back and opened again meanwhile, the newer one stays.
        if (this.#map === map) {
          this.#map = null;
          this.#held.maps.delete(this);
        }
        // Cancelled by whoever opened it for both of us: we still want it.
        const othersWish = error instanceof CbtError && error.code === 'ERR_CBT_ABORTED' && !signal?.aborted;
        if (!othersWish || this.#held.uses.closed) throw error;
      }
    }
  }
}
