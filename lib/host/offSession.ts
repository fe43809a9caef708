/**
 * A backup session on images at rest. Nothing keeps its instant but that nobody writes to them: that nobody did is told by the
 * point in time that it took (unwritten.ts), or, on an image that can hold none, by the file's own times.
 */

import { type BegunSession, endedWithVm } from '../core/begunSessions.js';
import type { CallOptions } from '../core/callOptions.js';
import { CheckedData } from '../core/checkedData.js';
import { Diff, type DiffOptions } from '../core/diff.js';
import type { DiskData, OpenDataOptions } from '../core/diskData.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { checkCall } from '../core/options.js';
import { outcomeOf, settled } from '../core/outcome.js';
import type { Instant } from '../core/pointInTime.js';
import { pointLeftAfter, withPointLeft } from '../core/pointLeft.js';
import type { EndSessionOptions, Session, SessionDisk } from '../core/session.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { DiskOutcome, TrackingOutcome } from '../core/tracking.js';
import { checkEnd } from '../core/vmOptions.js';
import { openData } from './data.js';
import type { DiskWatch } from './diskWatch.js';
import type { ImageTracking } from './imageTracking.js';
import { callingIt, type OffDisk, openOffDisk } from './offDisk.js';
import { findOffDisk } from './offNames.js';
import { Proof, requireUnwritten } from './unwritten.js';

/** A disk that takes part: what is told of it, and what tells whether it is still the instant's. */
export interface HeldDisk {
  readonly off: OffDisk;
  readonly told: SessionDisk;
  readonly by: { instant: Instant } | { watch: DiskWatch };
}

export interface OffSessionParts {
  pit: string;
  /** All of the VM: a name may fit one that takes no part. */
  known: readonly OffDisk[];
  held: readonly HeldDisk[];
  /** Every disk as it is told, those that are refused with their error. */
  disks: readonly SessionDisk[];
  /** Names of disks that have the point in time, or may have it. */
  pointed: readonly string[];
  warnings: readonly string[];
  /** Changes the images of these disks, and tells of the disks. */
  track<T extends { disks: readonly DiskOutcome[] }>(
    disks: readonly string[],
    work: (tracking: ImageTracking) => Promise<T>,
  ): Promise<T>;
}

export class OffSession implements Session, BegunSession {
  readonly pit: string;
  readonly mode = 'off';
  readonly disks: readonly SessionDisk[];
  readonly warnings: readonly string[];
  readonly #breaks = new AbortController();
  #broken: CbtError | null = null;
  readonly #parts: OffSessionParts;
  readonly #proofs = new Map<string, Proof>();
  readonly #opened = new Set<TrackedDisk>();
  readonly #data = new Set<DiskData>();
  /** Disks whose data was read here. */
  readonly #read = new Set<string>();
  #over = false;
  onOver: (() => void) | null = null;
  /** The end that is under way, or was. */
  #ending: Promise<TrackingOutcome> | null = null;

  constructor(parts: OffSessionParts) {
    this.#parts = parts;
    this.pit = parts.pit;
    this.disks = parts.disks;
    this.warnings = parts.warnings;
    for (const one of parts.held) {
      if ('watch' in one.by) continue;
      const { instant } = one.by;
      this.#proofs.set(one.off.disk, new Proof(one.off.path, (signal) => prove(one.off, instant, signal)));
    }
  }

  get over(): boolean {
    return this.#over;
  }

  /** By the closing of its VM alone: each disk is lost by itself. */
  get broken(): CbtError | null {
    return this.#broken;
  }

  get signal(): AbortSignal {
    return this.#breaks.signal;
  }

  async openDisk(name: string, options: CallOptions = {}): Promise<TrackedDisk> {
    checkCall('openDisk', options);
    const one = await this.#find(name);
    const instant = 'watch' in one.by ? null : { instant: one.by.instant, check: () => this.#look(one) };
    const disk = await openOffDisk(one.off, options.signal, instant);
    this.#opened.add(disk);
    disk.openDataBy((asked) => this.openData(one.off.disk, asked));
    return disk.closeWith({ close: async () => void this.#opened.delete(disk) });
  }

  diff(disk: string, options: DiffOptions): Diff {
    return new Diff(this, disk, options);
  }

  async openData(name: string, options: OpenDataOptions = {}): Promise<DiskData> {
    const one = await this.#find(name);
    const { disk, path, known } = one.off;
    const { format, trust } = known;
    const data = await callingIt(disk, path, () =>
      openData({ kind: 'qemu-nbd', file: path, format, trust, readOnly: true }, options),
    );
    try {
      // QEMU's lock keeps writers away from here on: what is found unwritten now stays so while it is open.
      await this.#look(one);
      this.#read.add(disk);
      this.#data.add(data);
      const session = this;
      return new CheckedData(data, {
        check: ({ signal }) => this.check(disk, { signal }),
        get broken() {
          return session.broken;
        },
      });
    } catch (error) {
      await data.close().catch(() => undefined);
      throw error;
    }
  }

  async check(name?: string, options: CallOptions = {}): Promise<void> {
    checkCall('check', options);
    this.#requireOpen();
    for (const one of name === undefined ? this.#parts.held : [await this.#find(name)]) {
      throwIfAborted(options.signal);
      await this.#look(one, options.signal);
    }
  }

  async commit(options: EndSessionOptions = {}): Promise<TrackingOutcome> {
    checkEnd('commit', options);
    this.#requireOpen();
    return this.#endBy(() => this.#commit(options));
  }

  async #commit({ signal }: EndSessionOptions): Promise<TrackingOutcome> {
    const { pointed, track } = this.#parts;
    const doubts = await this.#doubts();
    const kept = pointed.filter((disk) => !doubts.has(disk));
    const lost = pointed.filter((disk) => doubts.has(disk));
    const { disks } =
      kept.length === 0 ? { disks: [] } : await track(kept, (images) => images.commit(this.pit, { signal }));
    for (const disk of lost) await this.#takeOff(disk, doubts);
    await this.#close();
    return settled({
      pit: this.pit,
      disks: this.disks.map(({ disk, error: refused }) => {
        const error = doubts.get(disk) ?? refused;
        return disks.find((one) => one.disk === disk) ?? { disk, ...(error !== undefined && { error }) };
      }),
    });
  }

  async rollback(options: EndSessionOptions = {}): Promise<TrackingOutcome> {
    checkEnd('rollback', options);
    // It is what its VM's closing came to.
    if (this.#broken !== null && this.#ending !== null) return this.#ending;
    this.#requireOpen();
    return this.#endBy(() => this.#rollback(options));
  }

  async endWithVm(): Promise<void> {
    await this.#ending?.catch(() => undefined);
    if (this.#over || this.#broken !== null) return;
    this.#broken = endedWithVm(this.pit, this.disks.map(({ disk }) => disk).join(', '));
    this.#breaks.abort(this.#broken);
    const ending = this.#endBy(async () => {
      // What has an image open keeps everybody from writing to it.
      for (const data of this.#data) await data.close().catch(() => undefined);
      return this.#rollback({});
    });
    await outcomeOf(ending);
  }

  #endBy(end: () => Promise<TrackingOutcome>): Promise<TrackingOutcome> {
    this.#ending = end();
    return this.#ending;
  }

  async #rollback({ signal }: EndSessionOptions): Promise<TrackingOutcome> {
    const { pointed, track } = this.#parts;
    const outcome =
      pointed.length === 0
        ? { disks: [] }
        : await track(pointed, (images) => images.rollback(this.pit, { signal }));
    await this.#close();
    return settled({ pit: this.pit, ...outcome });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broken !== null) await this.#ending?.catch(() => undefined);
    else if (!this.#over) await outcomeOf(this.rollback());
  }

  /** Nobody has a backup of what the disk held then. A point that stays all the same is told: nothing may be built on it. */
  async #takeOff(disk: string, doubts: Map<string, CbtError>): Promise<void> {
    const { disks } = await this.#parts
      .track([disk], (images) => images.undo(this.pit))
      .catch((error: unknown) => {
        if (error instanceof CbtError) return { disks: [{ disk, error }] };
        throw error;
      });
    const doubt = doubts.get(disk);
    if (doubt !== undefined) doubts.set(disk, withPointLeft(doubt, this.pit, pointLeftAfter(disks)));
  }

  /** Why what was read of a disk may not be its instant. */
  async #doubts(): Promise<Map<string, CbtError>> {
    const doubts = new Map<string, CbtError>();
    for (const one of this.#parts.held) {
      if (!this.#read.has(one.off.disk)) continue;
      await this.#look(one).catch((error: unknown) => {
        if (!(error instanceof CbtError)) throw error;
        doubts.set(one.off.disk, error);
      });
    }
    return doubts;
  }

  #look({ off, by }: HeldDisk, signal?: AbortSignal): Promise<void> {
    return callingIt(off.disk, off.path, async () =>
      'watch' in by ? by.watch.requireUnwritten() : this.#proofs.get(off.disk)?.check(signal),
    );
  }

  async #find(name: string): Promise<HeldDisk> {
    this.#requireOpen();
    const { held, known } = this.#parts;
    const { disk } = await findOffDisk(known, name);
    const one = held.find(({ off }) => off.disk === disk);
    if (one !== undefined) return one;
    const refused = this.disks.find((told) => told.disk === disk)?.error;
    if (refused !== undefined) throw refused;
    throw invalidArgument(
      'disk',
      name,
      `one of the session ${this.pit}: ${this.disks.map((d) => d.disk).join(', ')}`,
    );
  }

  #requireOpen(): void {
    if (this.#broken !== null) throw this.#broken;
    if (this.#over) throw new CbtError('ERR_CBT_CLOSED', `session ${this.pit} has ended`);
  }

  async #close(): Promise<void> {
    this.#over = true;
    this.onOver?.();
    for (const disk of this.#opened) await disk.close().catch(() => undefined);
    for (const { by } of this.#parts.held) if ('watch' in by) await by.watch.close();
  }
}

async function prove(off: OffDisk, instant: Instant, signal: AbortSignal | undefined): Promise<void> {
  await using disk = await openOffDisk(off, signal);
  await requireUnwritten(disk, instant, signal);
}
