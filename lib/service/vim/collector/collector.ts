/**
 * A property collector of a session: one-time reads with pages, and filters that are watched. Waits of one session stand side by side,
 * and none ends another.
 */
import { invalidArgument } from '../../../facade/vsphere/faults.js';
import {
  InvalidCollectorVersion,
  type ManagedObjectReference,
  RequestCanceled,
} from '../../../facade/vsphere/index.js';
import type { Reading } from '../reading.js';
import type { Changes } from './changes.js';
import { type ObjectContent, retrieve } from './content.js';
import type { Filter, ObjectUpdate } from './filter.js';
import { checkSpec, type FilterSpec, type Find } from './select.js';

export interface FilterUpdate {
  filter: ManagedObjectReference;
  objectSet: ObjectUpdate[];
}
export interface UpdateSet {
  version: string;
  filterSet: FilterUpdate[];
  truncated?: boolean;
}
export interface RetrieveResult {
  token?: string;
  objects: ObjectContent[];
}
/** What a wait may take. */
export interface WaitLimits {
  /** Without it, as long as a wait is held at all. */
  maxWaitSeconds?: number | undefined;
  maxObjectUpdates?: number | undefined;
}

/** What a collector needs of the call that asks it. */
export interface Asking {
  find: Find;
  /** A new reading: what is read in one is read once. */
  reading(): Reading;
  changes: Changes;
  signal: AbortSignal;
}

const MOST_PAGES = 100;
const MOST_WAITS = 8;
const MOST_FILTERS = 100;
/** A wait is ended by an answer without changes after so long. */
const LONGEST_WAIT_MS = 30 * 60_000;
/** What changes outside this process is looked for so often, while somebody waits for it. */
const LOOK_AGAIN_MS = 3000;

/** A collector and its filters. */
export class Collector {
  readonly #filters = new Map<string, { reference: ManagedObjectReference; filter: Filter }>();
  readonly #pages = new Map<string, { rest: ObjectContent[]; most: number }>();
  readonly #rests = new Map<string, { sets: FilterUpdate[]; version: number }>();
  #version = 0;
  #tokens = 0;
  #waits = 0;
  #canceling = new AbortController();

  /** Filters by their references. */
  get filters(): ManagedObjectReference[] {
    return [...this.#filters.values()].map(({ reference }) => reference);
  }

  add(reference: ManagedObjectReference, filter: Filter): void {
    if (this.#filters.size >= MOST_FILTERS)
      throw invalidArgument('spec', `a collector has at most ${MOST_FILTERS} filters`);
    this.#filters.set(reference.value, { reference, filter });
  }

  remove(value: string): void {
    this.#filters.delete(value);
  }

  /** Reads once; what is more than a page waits under the token of the answer. */
  async retrieve(
    specs: readonly FilterSpec[],
    most: number | undefined,
    asking: Asking,
  ): Promise<RetrieveResult> {
    if (most !== undefined && most < 1) throw invalidArgument('options.maxObjects', `maxObjects is ${most}`);
    for (const spec of specs) checkSpec(spec);
    const contents = await retrieve(specs, asking.find, asking.reading());
    return this.#page(contents, most ?? contents.length);
  }

  /** The next page; a token is good once. */
  continue(token: string): RetrieveResult {
    const page = this.#pages.get(token);
    if (page === undefined) throw invalidArgument('token', 'nothing is kept under this token any more');
    this.#pages.delete(token);
    return this.#page(page.rest, page.most);
  }

  /** Gives up the pages that are left. */
  cancel(token: string): void {
    if (!this.#pages.delete(token))
      throw invalidArgument('token', 'nothing is kept under this token any more');
  }

  #page(contents: ObjectContent[], most: number): RetrieveResult {
    if (contents.length <= most) return { objects: contents };
    this.#tokens += 1;
    const token = String(this.#tokens);
    this.#pages.set(token, { rest: contents.slice(most), most });
    const [oldest] = this.#pages.keys();
    if (this.#pages.size > MOST_PAGES && oldest !== undefined) this.#pages.delete(oldest);
    return { token, objects: contents.slice(0, most) };
  }

  /** What changed since a version, at once; null where nothing did. */
  async check(version: string | undefined, asking: Asking, most?: number): Promise<UpdateSet | null> {
    const rest = this.#rests.get(version ?? '');
    if (rest !== undefined) return this.#cut(rest.sets, rest.version, most);
    const since = this.#parse(version);
    const reading = asking.reading();
    const next = (): number => {
      this.#version += 1;
      return this.#version;
    };
    for (const { filter } of this.#filters.values()) await filter.refresh(asking.find, reading, next);
    const sets: FilterUpdate[] = [];
    for (const { reference, filter } of this.#filters.values()) {
      const objectSet = filter.since(since);
      if (objectSet.length > 0) sets.push({ filter: reference, objectSet });
    }
    return sets.length === 0 ? null : this.#cut(sets, this.#version, most);
  }

  /** Waits until something changed; null where the time was over first. Ends with `RequestCanceled` when the wait is cancelled. */
  async wait(version: string | undefined, limits: WaitLimits, asking: Asking): Promise<UpdateSet | null> {
    if (this.#waits >= MOST_WAITS)
      throw invalidArgument('options', `at most ${MOST_WAITS} waits of a collector stand side by side`);
    this.#waits += 1;
    try {
      const signal = AbortSignal.any([asking.signal, this.#canceling.signal]);
      const { maxWaitSeconds, maxObjectUpdates } = limits;
      const end = performance.now() + Math.min((maxWaitSeconds ?? Infinity) * 1000, LONGEST_WAIT_MS);
      for (;;) {
        if (signal.aborted) throw new RequestCanceled('the wait was cancelled');
        const waking = new AbortController();
        const timer = setTimeout(() => waking.abort(), Math.max(0, end - performance.now()));
        try {
          // Made before looking: what changes while we look wakes us.
          const changed = asking.changes.wait(LOOK_AGAIN_MS, AbortSignal.any([signal, waking.signal]));
          const found = await this.check(version, asking, maxObjectUpdates);
          if (found !== null || performance.now() >= end) return found;
          await changed;
        } finally {
          clearTimeout(timer);
          waking.abort();
        }
      }
    } finally {
      this.#waits -= 1;
    }
  }

  /** Ends every wait. */
  cancelWaits(): void {
    this.#canceling.abort();
    this.#canceling = new AbortController();
  }

  #parse(version: string | undefined): number {
    if (version === undefined || version === '') return 0;
    const number = /^\d{1,15}$/.test(version) ? Number(version) : Number.NaN;
    if (number <= this.#version) return number;
    throw new InvalidCollectorVersion(`${version} is no version of this collector`);
  }

  /** At most so many objects; the rest waits under the version of the answer. */
  #cut(sets: FilterUpdate[], version: number, most: number | undefined): UpdateSet {
    const count = sets.reduce((sum, { objectSet }) => sum + objectSet.length, 0);
    if (most === undefined || most < 1 || count <= most) return { version: String(version), filterSet: sets };
    const now: FilterUpdate[] = [];
    const later: FilterUpdate[] = [];
    let room = most;
    for (const { filter, objectSet } of sets) {
      const told = objectSet.slice(0, room);
      const left = objectSet.slice(told.length);
      if (told.length > 0) now.push({ filter, objectSet: told });
      if (left.length > 0) later.push({ filter, objectSet: left });
      room -= told.length;
    }
    this.#tokens += 1;
    const token = `${version}-${this.#tokens}`;
    this.#rests.set(token, { sets: later, version });
    const [oldest] = this.#rests.keys();
    if (this.#rests.size > MOST_PAGES && oldest !== undefined) this.#rests.delete(oldest);
    return { version: token, filterSet: now, truncated: true };
  }
}
