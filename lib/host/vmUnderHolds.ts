/**
 * A VM whose holders are respected: who holds it keeps it as it is, and every change by whomever is refused with `BUSY`, which
 * says who and since when. The other way round, while a change is under way nobody begins to hold it; a session that ends
 * with its process is one from its beginning to its end.
 */

import { closing } from '../core/closing.js';
import type { DiskData, OpenDataOptions } from '../core/diskData.js';
import { CbtError } from '../core/errors.js';
import { point as checkPoint, uuid } from '../core/options.js';
import type { Instant } from '../core/pointInTime.js';
import { type EndSessionOptions, hasEnded, type Session } from '../core/session.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { TrackingOutcome } from '../core/tracking.js';
import type {
  BeginVmOptions,
  CallOptions,
  DisksOptions,
  StartVmOptions,
  Vm,
  VmDiskInfo,
  VmFacts,
} from '../core/vm.js';
import { checkBegin, checkDisks, checkEnd, checkStart } from '../core/vmOptions.js';
import type { HoldStore } from './holdStore.js';
import { beginChange, changing } from './holds.js';
import { PassedSession, PassedVm } from './passed.js';

/** Ends a change. */
type End = () => Promise<void>;

export class VmUnderHolds extends PassedVm implements Vm {
  readonly #holds: HoldStore;
  /** Ends of the changes that sessions are which were begun here. */
  readonly #sessions = new Set<End>();

  constructor(vm: Vm, holds: HoldStore) {
    super(vm);
    this.#holds = holds;
  }

  facts(options?: CallOptions): Promise<VmFacts> {
    return this.vm.facts(options);
  }

  disks(options?: DisksOptions): Promise<VmDiskInfo[]> {
    return this.vm.disks(options);
  }

  openDisk(name: string, options?: CallOptions): Promise<TrackedDisk> {
    return this.vm.openDisk(name, options);
  }

  // What is refused changes nothing: it is looked at before the change is told to others.
  async enable(options?: StartVmOptions): Promise<TrackingOutcome> {
    checkStart('enable', options);
    return this.#changing('enable', () => this.vm.enable(options));
  }

  async reset(options?: StartVmOptions): Promise<TrackingOutcome> {
    checkStart('reset', options);
    return this.#changing('reset', () => this.vm.reset(options));
  }

  async disable(options?: DisksOptions): Promise<TrackingOutcome> {
    checkDisks('disable', options);
    return this.#changing('disable', () => this.vm.disable(options));
  }

  async forget(point: string | Instant, options?: DisksOptions): Promise<TrackingOutcome> {
    checkPoint(point, 'point');
    checkDisks('forget', options);
    return this.#changing('forget', () => this.vm.forget(point, options));
  }

  async undo(pit: string, options?: DisksOptions): Promise<TrackingOutcome> {
    uuid(pit, 'pit');
    checkDisks('undo', options);
    return this.#changing('undo', () => this.vm.undo(pit, options));
  }

  async begin(options: BeginVmOptions = {}): Promise<Session> {
    checkBegin(options);
    const end = await this.#begin(options.detached ? 'begin' : 'a session');
    const over: End = async () => {
      if (this.#sessions.delete(over)) await end();
    };
    this.#sessions.add(over);
    let session: Session;
    try {
      session = await this.vm.begin(options);
    } catch (thrown) {
      await over().catch(() => undefined);
      throw thrown;
    }
    if (options.detached) await over();
    return this.#sessionOf(session, options.detached ? null : over);
  }

  async resume(pit: string, options?: CallOptions): Promise<Session> {
    const resumed = await this.vm.resume(pit, options);
    return this.#sessionOf(resumed, null);
  }

  /** What a command changes, only its caller knows. */
  qmp(command: string, args?: object, options?: CallOptions): Promise<unknown> {
    return this.vm.qmp(command, args, options);
  }

  async close(options?: CallOptions): Promise<void> {
    await closing('close', options, () => this.#close());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  /** What was begun here ends with it, and is no change any more. */
  async #close(): Promise<void> {
    try {
      await this.vm.close();
    } finally {
      for (const over of this.#sessions) await over().catch(() => undefined);
    }
  }

  #sessionOf(session: Session, own: End | null): Session {
    return new SessionUnderHolds(session, own, () => this.#begin('the end of a session'));
  }

  async #changing<T>(task: string, work: () => Promise<T>): Promise<T> {
    return (await this.#holds.canKeep()) ? changing(this.#holds, task, work) : work();
  }

  async #begin(task: string): Promise<End> {
    return (await this.#holds.canKeep()) ? beginChange(this.#holds, task) : async () => undefined;
  }
}

class SessionUnderHolds extends PassedSession implements Session {
  readonly #own: End | null;
  readonly #begin: () => Promise<End>;
  #ended = false;

  /** `own`: ends the change that the whole session is; null where its end is a change by itself, which `begin` begins. */
  constructor(session: Session, own: End | null, begin: () => Promise<End>) {
    super(session);
    this.#own = own;
    this.#begin = begin;
  }

  openDisk(disk: string, options?: CallOptions): Promise<TrackedDisk> {
    return this.session.openDisk(disk, options);
  }

  openData(disk: string, options?: OpenDataOptions): Promise<DiskData> {
    return this.session.openData(disk, options);
  }

  check(...asked: Parameters<Session['check']>): Promise<void> {
    return this.session.check(...asked);
  }

  async commit(options?: EndSessionOptions): Promise<TrackingOutcome> {
    checkEnd('commit', options);
    return this.#end(() => this.session.commit(options));
  }

  async rollback(options?: EndSessionOptions): Promise<TrackingOutcome> {
    checkEnd('rollback', options);
    return this.#end(() => this.session.rollback(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const dispose = async (): Promise<void> => this.session[Symbol.asyncDispose]();
    await (this.#ended ? dispose() : this.#end(dispose));
  }

  async #end<T>(work: () => Promise<T>): Promise<T> {
    const over = this.#own ?? (await this.#begin());
    let result: T;
    try {
      result = await work();
    } catch (thrown) {
      // What did not come to its end is asked for again, and stays a change until then.
      const nothingKept = thrown instanceof CbtError && thrown.disks !== undefined;
      this.#ended = hasEnded(thrown) || nothingKept || this.session.broken !== null;
      if (this.#ended || this.#own === null) await over().catch(() => undefined);
      throw thrown;
    }
    this.#ended = true;
    await over();
    return result;
  }
}
