/** A VM and its sessions whose calls are told on the channel `qemu-cbt:session`, and to the logger that the VM was opened with. */
import type { DiskData, OpenDataOptions } from '../core/diskData.js';
import { parseUuid } from '../core/pointInTime.js';
import type { EndSessionOptions, Session } from '../core/session.js';
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
import { type Logger, logging } from '../watch/logger.js';
import type { SessionMessage } from '../watch/messages.js';
import { traced } from '../watch/tracing.js';
import { PassedSession, PassedVm } from './passed.js';

/** What a call is of, as far as it is known before. */
type About = {
  readonly [Name in 'disk' | 'disks' | 'pit' | 'session']?: SessionMessage[Name] | undefined;
};

export class WatchedVm extends PassedVm implements Vm {
  readonly #logger: Logger | undefined;

  constructor(vm: Vm, logger: Logger | undefined) {
    super(vm);
    this.#logger = logger;
  }

  facts(options?: CallOptions): Promise<VmFacts> {
    return this.#told('facts', {}, () => this.vm.facts(options));
  }

  disks(options?: DisksOptions): Promise<VmDiskInfo[]> {
    return this.#told('disks', {}, () => this.vm.disks(options));
  }

  openDisk(name: string, options?: CallOptions): Promise<TrackedDisk> {
    return this.#told('openDisk', { disk: name }, () => this.vm.openDisk(name, options));
  }

  enable(options?: StartVmOptions): Promise<TrackingOutcome> {
    return this.#track('enable', {}, () => this.vm.enable(options));
  }

  reset(options?: StartVmOptions): Promise<TrackingOutcome> {
    return this.#track('reset', {}, () => this.vm.reset(options));
  }

  disable(options?: DisksOptions): Promise<TrackingOutcome> {
    return this.#track('disable', {}, () => this.vm.disable(options));
  }

  forget(...asked: Parameters<Vm['forget']>): Promise<TrackingOutcome> {
    return this.#track('forget', {}, () => this.vm.forget(...asked));
  }

  undo(pit: string, options?: DisksOptions): Promise<TrackingOutcome> {
    return this.#track('undo', { pit }, () => this.vm.undo(pit, options));
  }

  async begin(options?: BeginVmOptions): Promise<Session> {
    // Options that are none are for the VM to refuse.
    const pit = typeof options?.pit === 'string' ? parseUuid(options.pit) : undefined;
    return this.#session('begin', { pit, session: pit }, () => this.vm.begin(options));
  }

  async resume(pit: string, options?: CallOptions): Promise<Session> {
    return this.#session('resume', { pit, session: pit }, () => this.vm.resume(pit, options));
  }

  qmp(command: string, args?: object, options?: CallOptions): Promise<unknown> {
    return this.#told('qmp', {}, () => this.vm.qmp(command, args, options));
  }

  close(options?: CallOptions): Promise<void> {
    return this.#told('close', {}, () => this.vm.close(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #session(operation: string, about: About, work: () => Promise<Session>): Promise<Session> {
    const session = await this.#told(operation, about, work, (message, begun) => {
      // Only now: a point that nobody named is drawn.
      Object.assign(message, { pit: begun.pit, session: begun.pit });
      message.disks = begun.disks.map(({ disk }) => disk);
    });
    return new WatchedSession(session, (of, ...call) => this.#told(of, ...call));
  }

  #track(operation: string, about: About, work: () => Promise<TrackingOutcome>): Promise<TrackingOutcome> {
    return this.#told(operation, about, work, (message, { pit, disks }) => {
      Object.assign(message, { pit: pit ?? message.pit });
      message.disks = disks.map(({ disk }) => disk);
    });
  }

  #told<T>(
    operation: string,
    about: About,
    work: () => Promise<T>,
    done?: (message: SessionMessage, result: T) => void,
  ): Promise<T> {
    const begun = () => ({ operation, vm: this.vm.key, ...about, disks: about.disks ?? null });
    return logging(this.#logger, () => traced('qemu-cbt:session', begun, work, done));
  }
}

class WatchedSession extends PassedSession implements Session {
  readonly #told: <T>(operation: string, about: About, work: () => Promise<T>) => Promise<T>;
  #ended = false;

  constructor(
    session: Session,
    told: <T>(operation: string, about: About, work: () => Promise<T>) => Promise<T>,
  ) {
    super(session);
    this.#told = told;
  }

  openDisk(disk: string, options?: CallOptions): Promise<TrackedDisk> {
    return this.#told('openDisk', this.#about(disk), () => this.session.openDisk(disk, options));
  }

  openData(disk: string, options?: OpenDataOptions): Promise<DiskData> {
    return this.#told('openData', this.#about(disk), () => this.session.openData(disk, options));
  }

  check(...asked: Parameters<Session['check']>): Promise<void> {
    return this.#told('check', this.#about(asked[0]), () => this.session.check(...asked));
  }

  async commit(options?: EndSessionOptions): Promise<TrackingOutcome> {
    const outcome = await this.#told('commit', this.#about(), () => this.session.commit(options));
    this.#ended = true;
    return outcome;
  }

  async rollback(options?: EndSessionOptions): Promise<TrackingOutcome> {
    const outcome = await this.#told('rollback', this.#about(), () => this.session.rollback(options));
    this.#ended = true;
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const dispose = async (): Promise<void> => this.session[Symbol.asyncDispose]();
    await (this.#ended ? dispose() : this.#told('rollback', this.#about(), dispose));
  }

  #about(disk?: string): About {
    const { pit, disks } = this.session;
    const names = disks.map((one) => one.disk);
    return { pit, session: pit, disks: names, ...(disk !== undefined && { disk }) };
  }
}
