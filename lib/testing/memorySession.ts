/** A session of a VM in memory: the instant is kept as it was, whatever the guest writes. */

import { type BegunSession, endedWithVm } from '../core/begunSessions.js';
import type { CallOptions } from '../core/callOptions.js';
import { currentChain, readCatalogue } from '../core/chain.js';
import { CheckedData } from '../core/checkedData.js';
import { Diff, type DiffOptions } from '../core/diff.js';
import type { DiskData, OpenDataOptions } from '../core/diskData.js';
import { CbtError, invalidArgument } from '../core/errors.js';
import { checkCall, text } from '../core/options.js';
import { marked, settled } from '../core/outcome.js';
import type { EndSessionOptions, SessionDisk, SessionMode } from '../core/session.js';
import { TrackedDisk } from '../core/trackedDisk.js';
import { type DiskOutcome, rollback, type TrackingOutcome } from '../core/tracking.js';
import { checkEnd } from '../core/vmOptions.js';
import { type HeldSession, type Machine, MachineTarget } from './machine.js';
import { MemoryData } from './memoryData.js';
import type { Content } from './memoryDisk.js';
import { MemoryDiskSource } from './memorySource.js';

type Instants = ReadonlyMap<string, { content: Content; sizeBytes: number }>;

export interface MemorySessionParts {
  machine: Machine;
  pit: string;
  mode: SessionMode;
  disks: readonly SessionDisk[];
  instants: Instants;
  warnings?: readonly string[] | undefined;
}

export class MemorySession implements HeldSession, BegunSession {
  readonly pit: string;
  readonly mode: SessionMode;
  readonly disks: readonly SessionDisk[];
  readonly warnings: readonly string[];
  readonly instants: Instants;
  readonly #machine: Machine;
  readonly #breaks = new AbortController();
  readonly #disks = new Set<TrackedDisk>();
  readonly #data = new Set<MemoryData>();
  #broken: CbtError | null = null;
  #ended = false;
  onOver: (() => void) | null = null;
  /** Its end, where that is its VM's. */
  #endedWithVm: Promise<TrackingOutcome> | null = null;

  constructor({ machine, pit, mode, disks, instants, warnings = [] }: MemorySessionParts) {
    this.#machine = machine;
    this.pit = pit;
    this.mode = mode;
    this.disks = disks;
    this.instants = instants;
    this.warnings = warnings;
  }

  get broken(): CbtError | null {
    return this.#broken;
  }

  get signal(): AbortSignal {
    return this.#breaks.signal;
  }

  get over(): boolean {
    return this.#ended;
  }

  async openDisk(name: string, options: CallOptions = {}): Promise<TrackedDisk> {
    text(name, 'disk');
    checkCall('openDisk', options);
    const { machine, disk, instant } = await this.#find('openDisk', name, options.signal);
    const source = new MemoryDiskSource(disk, {
      kernel: machine.kernel,
      live: true,
      instant,
      before: (signal) => machine.meet('question', disk.name, signal),
    });
    const opened = new TrackedDisk(source, machine.kernel, this.pit);
    this.#disks.add(opened);
    return opened.openDataBy((asked) => this.openData(disk.name, asked));
  }

  diff(disk: string, options: DiffOptions): Diff {
    return new Diff(this, disk, options);
  }

  async openData(name: string, options: OpenDataOptions = {}): Promise<DiskData> {
    text(name, 'disk');
    const { machine, disk, instant } = await this.#find('openData', name, options.signal);
    const data = new MemoryData({
      disk,
      instant,
      readOnly: true,
      contexts: options.contexts,
      allocated: () =>
        new MemoryDiskSource(disk, { kernel: machine.kernel, live: true, instant }).allocatedRanges(),
      before: (signal) => machine.meet('read', disk.name, signal),
    });
    this.#data.add(data);
    const session = this;
    return new CheckedData(data, {
      check: ({ signal }) => this.check(disk.name, { signal }),
      get broken() {
        return session.broken;
      },
    });
  }

  async check(name?: string, options: CallOptions = {}): Promise<void> {
    checkCall('check', options);
    this.#requireGood();
    await this.#machine.meet('check', name ?? null, options.signal);
    this.#requireGood();
  }

  async commit(options: EndSessionOptions = {}): Promise<TrackingOutcome> {
    checkEnd('commit', options);
    this.#requireGood();
    await this.#machine.meet('commit', null, options.signal);
    await this.#end();
    const disks = this.disks.map((told): DiskOutcome => {
      const { disk, error } = told;
      if (error !== undefined) return { disk, error };
      const chain = currentChain(readCatalogue(this.#machine.find(disk).state(true)));
      const newest = chain?.segments.at(-1);
      if (newest?.pit === this.pit && newest.info.recording && !newest.info.inconsistent)
        return { disk, epoch: told.epoch ?? newest.epoch, changeId: told.changeId ?? '' };
      const message = `PIT ${this.pit} is no longer on ${disk}; take a full backup of this disk`;
      return { disk, error: new CbtError('ERR_CBT_TRACKING_LOST', message, { disk, reason: 'MISSING' }) };
    });
    return settled({ pit: this.pit, disks });
  }

  async rollback(options: EndSessionOptions = {}): Promise<TrackingOutcome> {
    checkEnd('rollback', options);
    if (this.#endedWithVm !== null) return this.#endedWithVm;
    if (this.#ended) throw this.#over();
    await this.#machine.meet('rollback', null, options.signal);
    return this.#rollBack();
  }

  async #rollBack(): Promise<TrackingOutcome> {
    await this.#end();
    const names = this.disks.filter(({ error }) => error === undefined).map(({ disk }) => disk);
    const target = new MachineTarget(this.#machine, this.#machine.chosen(names));
    return marked(await this.#machine.alone(() => rollback(target, { pit: this.pit })));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended && this.#broken === null) await this.rollback();
  }

  async endWithVm(): Promise<void> {
    if (this.#ended || this.#broken !== null) return;
    this.#endedWithVm = this.#rollBack();
    this.#breakWith(endedWithVm(this.pit, this.#machine.name));
    await this.#endedWithVm;
  }

  /** The machine’s process ended. */
  lose(lost: CbtError): void {
    if (this.#broken !== null || this.#ended) return;
    this.#breakWith(
      new CbtError(
        lost.code,
        `session ${this.pit} is broken: ${lost.message}. What was read since the last check is not the session's instant; begin a new one`,
        { details: { session: this.pit }, cause: lost },
      ),
    );
  }

  #breakWith(why: CbtError): void {
    this.#broken = why;
    for (const disk of this.#disks) disk.loseWith(why).catch(() => undefined);
    this.#breaks.abort(why);
  }

  async #find(call: 'openDisk' | 'openData', name: string, signal: AbortSignal | undefined) {
    this.#requireGood();
    const machine = this.#machine;
    const disk = machine.find(name);
    const told = this.disks.find((one) => one.disk === disk.name);
    const instant = this.instants.get(disk.name);
    if (told === undefined || told.error !== undefined || instant === undefined)
      throw (
        told?.error ?? invalidArgument('disk', name, `one of ${this.disks.map((one) => one.disk).join(', ')}`)
      );
    await machine.meet(call, disk.name, signal);
    this.#requireGood();
    return { machine, disk, instant };
  }

  async #end(): Promise<void> {
    if (this.#endedWithVm === null) this.#requireGood();
    this.#ended = true;
    this.onOver?.();
    this.#machine.sessions.delete(this.pit);
    for (const one of [...this.#disks, ...this.#data]) await one.close();
  }

  #requireGood(): void {
    if (this.#broken !== null) throw this.#broken;
    if (this.#ended) throw this.#over();
  }

  #over(): CbtError {
    return new CbtError('ERR_CBT_CLOSED', `session ${this.pit} has ended`, { details: { ended: true } });
  }
}
