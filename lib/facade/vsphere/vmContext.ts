/** A VM as the methods see it: as its owner configured it, what is remembered of it, and a connection to it while it is needed. */
import type { CallOptions } from '../../core/callOptions.js';
import { CbtError } from '../../core/errors.js';
import { untilAborted } from '../../core/untilAborted.js';
import type { Vm } from '../../core/vm.js';
import type { HoldStore } from '../../host/holdStore.js';
import type { Holds } from '../../host/holds.js';
import type { HostVm, VmEntry } from '../../host/hostVm.js';
import type { RecordStore } from '../../host/recordStore.js';
import { InvalidState } from './faultClasses.js';
import { toFault } from './faults.js';

/** How the service answers, and where it remembers. */
export interface ServiceOptions {
  /** Most areas in one answer of QueryChangedDiskAreas; all in one unless given. Real hosts answer 2000. */
  maxAreasPerCall?: number | undefined;
  /** Where records of VMs are kept; QEMU_CBT_STATE, else /var/lib/qemu-cbt or the user's own state folder, unless given. */
  stateFolder?: string | undefined;
}

/** What methods work on. Each has a connection of its own, because a QMP monitor serves one client at a time. */
export class VmContext {
  readonly maxAreasPerCall: number | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly host: HostVm,
    { maxAreasPerCall }: Pick<ServiceOptions, 'maxAreasPerCall'>,
  ) {
    this.maxAreasPerCall = maxAreasPerCall;
  }

  /** As its owner configured it. */
  get entry(): VmEntry {
    return this.host.entry;
  }

  /** As its owner configured it. */
  get name(): string {
    return this.host.name;
  }

  /** What is remembered of it. */
  get records(): RecordStore {
    return this.host.records;
  }

  /** Who holds it. */
  holders(): Promise<HoldStore> {
    return this.host.holders();
  }

  /** Runs with the VM as it is now, running or off; the connection ends afterwards. */
  async withVm<T>(work: (vm: Vm) => Promise<T>, signal?: AbortSignal): Promise<T> {
    await using vm = await this.open(signal);
    return await work(vm);
  }

  /** The VM as it is now, for whoever closes it. */
  async open(signal?: AbortSignal): Promise<Vm> {
    return this.host.reach({ signal }).catch((thrown: unknown) => {
      throw toFault(thrown);
    });
  }

  /** The VM's disks that take part. `InvalidState` where its configuration names one that it has not, or by a name of two. */
  async disksOf(vm: Vm, own: CallOptions = {}) {
    const found = await vm.disks({ disks: this.entry.disks, ...own }).catch((thrown: unknown) => {
      if (!(thrown instanceof CbtError) || thrown.code !== 'ERR_CBT_INVALID_ARGUMENT') throw thrown;
      const what = vm.running ? 'runs' : 'is off';
      throw new InvalidState(`${this.name} ${what}, and its configuration: ${thrown.message}`, {}, thrown);
    });
    return found.filter(({ trackable }) => trackable);
  }

  /**
   * Keeps the VM as it is until {@link letGo}: no process of this machine takes or removes a snapshot or switches tracking. `identity`
   * says who, to whoever is refused; with `client` it is held for that client of several. `TaskInProgress` while another holds or
   * changes it.
   */
  async hold(identity: string, client?: Holds): Promise<void> {
    await this.host.hold(identity, client).catch((thrown: unknown) => {
      throw toFault(thrown);
    });
  }

  /** Ends {@link hold}; false where this identity does not hold it. What another client or process that still runs holds stays held. */
  async letGo(identity: string, client?: Holds): Promise<boolean> {
    return this.host.letGo(identity, client);
  }

  /**
   * Changes of one VM follow each other, and wait for nobody who holds it: they are refused. The signal ends the waiting for its turn, and
   * what has begun is the work's own to end.
   */
  inTurn<T>(task: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#turn;
    const turn = untilAborted(before, signal).then(() => this.host.changing(task, work, { signal }));
    // One that did not wait does not let the next one by.
    this.#turn = turn.catch(() => undefined).then(() => before);
    return turn;
  }
}
