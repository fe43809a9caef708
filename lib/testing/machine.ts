/** A machine in memory: its disks, whether its process runs, the sessions that are open on it, and the faults that are to happen. */
import { setTimeout } from 'node:timers/promises';
import type { BitmapKernel } from '../core/bitmapKernel.js';
import type { DiskState } from '../core/diskSource.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { onAbort } from '../core/onAbort.js';
import type { Session } from '../core/session.js';
import type { TrackedState } from '../core/tracking.js';
import type { DiskChange, TrackingTarget } from '../core/trackingTarget.js';
import { errorOf, type FaultCall, Faults, seeded } from './faults.js';
import type { Content, MemoryDisk } from './memoryDisk.js';

/** Turns that a call takes: what is called off, or meets another one, does so in the middle. */
const TURNS = 3;

/** A session that the machine ends when its process does. */
export interface HeldSession extends Session {
  lose(why: CbtError): void;
}

export class Machine {
  readonly name: string;
  readonly uuid: string;
  readonly disks: readonly MemoryDisk[];
  readonly kernel: BitmapKernel;
  readonly faults = new Faults();
  /** Open sessions by their points. */
  readonly sessions = new Map<string, HeldSession>();
  readonly drawUuid: () => string;
  #running = true;
  #last: Promise<unknown> = Promise.resolve();
  #lost = new AbortController();

  constructor(options: {
    name: string;
    uuid: string;
    disks: readonly MemoryDisk[];
    kernel: BitmapKernel;
    seed: number;
  }) {
    this.name = options.name;
    this.uuid = options.uuid;
    this.disks = options.disks;
    this.kernel = options.kernel;
    this.drawUuid = uuids(options.seed);
  }

  get running(): boolean {
    return this.#running;
  }

  /** Fires when the process that runs now ends. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  find(name: string): MemoryDisk {
    const found = this.disks.find((disk) => disk.name === name || disk.filename === name);
    if (found !== undefined) return found;
    throw invalidArgument('disk', name, `one of ${this.disks.map((disk) => disk.name).join(', ')}`);
  }

  /** Each once, in that order; all of them unless given. */
  chosen(names: readonly string[] | undefined): MemoryDisk[] {
    return names === undefined ? [...this.disks] : [...new Set(names.map((name) => this.find(name)))];
  }

  /** At the beginning of every call: takes its turns, and does what the test wants to happen there. */
  async meet(call: FaultCall, disk: string | null, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
    throwIfAborted(signal);
    this.requireRunning();
    const fault = this.faults.next(call, disk);
    if (fault === null) return;
    const { happens = 'failure', delayMs = 100 } = fault;
    if (happens === 'delay') {
      // An abort ends it at once.
      const stop = new AbortController();
      const callOff = onAbort(signal, () => stop.abort());
      await setTimeout(delayMs, undefined, { signal: stop.signal }).catch(() => undefined);
      callOff();
      throwIfAborted(signal);
      this.requireRunning();
      return;
    }
    if (happens === 'lostBitmap') {
      for (const one of disk === null ? this.disks : [this.find(disk)]) one.loseBitmap();
      return;
    }
    if (happens === 'failure') throw errorOf(fault, disk);
    this.end(false);
    this.requireRunning();
  }

  /** Runs changes of points in time one after the other: each is planned on what the one before left. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  requireRunning(): void {
    if (!this.#running) throw connectionLost(this.name);
  }

  /** The process ends: in order, or killed. */
  end(inOrder: boolean): void {
    if (!this.#running) return;
    this.#running = false;
    for (const session of [...this.sessions.values()]) session.lose(connectionLost(this.name));
    this.sessions.clear();
    for (const disk of this.disks) disk.processEnded(inOrder);
    this.#lost.abort(connectionLost(this.name));
  }

  /** Starts it anew; whoever was connected has to connect again. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#lost = new AbortController();
  }
}

/** The disks of a call as the place where points in time are taken. */
export class MachineTarget implements TrackingTarget {
  /** What the disks held at the moment of the newest change. */
  readonly instants = new Map<string, { content: Content; sizeBytes: number }>();
  readonly #machine: Machine;
  readonly #disks: readonly MemoryDisk[];

  constructor(machine: Machine, disks: readonly MemoryDisk[]) {
    this.#machine = machine;
    this.#disks = disks;
  }

  async disks(signal?: AbortSignal): Promise<TrackedState[]> {
    throwIfAborted(signal);
    this.#machine.requireRunning();
    return this.#disks.map((disk) => ({ disk: disk.name, state: disk.state(true) }));
  }

  others(): readonly DiskState[] {
    return this.#machine.disks.filter((disk) => !this.#disks.includes(disk)).map((disk) => disk.state(true));
  }

  async apply(changes: readonly DiskChange[], signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#machine.requireRunning();
    const found = changes.map(({ disk, actions }) => ({ disk: this.#chosen(disk), actions }));
    for (const { disk, actions } of found) disk.requireActions(actions);
    // Without a turn in between: one instant.
    for (const { disk, actions } of found) disk.apply(actions);
    for (const disk of this.#disks)
      this.instants.set(disk.name, { content: disk.content(), sizeBytes: disk.sizeBytes });
  }

  #chosen(name: string): MemoryDisk {
    const found = this.#disks.find((disk) => disk.name === name);
    if (found !== undefined) return found;
    throw new CbtError('ERR_CBT_INTERNAL', `${name} is none of the disks of this call`, { disk: name });
  }
}

export function connectionLost(name: string): CbtError {
  return new CbtError('ERR_CBT_CONNECTION_LOST', `the process of ${name} ended: connect anew`, {
    details: { vm: name },
  });
}

/** UUIDs by a seed. */
export function uuids(seed: number): () => string {
  const next = seeded(seed);
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');
  return () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}
