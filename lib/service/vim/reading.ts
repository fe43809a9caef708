/** One reading of the inventory for one call: each VM is asked once, however many of its properties are wanted. */

import { toFault } from '../../facade/vsphere/faults.js';
import type { ManagedObjectReference, MethodFault, VirtualMachine } from '../../facade/vsphere/index.js';
import { type GuestFacts, guestFactsOf } from '../../host/guestFacts.js';
import type { User } from '../users/usersFile.js';

/** A VM that was asked: itself with its properties, or the fault why not. */
export type Asked = { vm: VirtualMachine; fault: null } | { vm: null; fault: MethodFault };

/** Who looks: what he may not see is not there for him. */
export interface Viewer {
  readonly user: User;
  /** His session as the API shows it. */
  readonly info: object;
}

/** What a call sees. */
export class Reading {
  readonly #asked = new Map<VirtualMachine, Promise<Asked>>();

  #vms: Promise<ReadonlyMap<string, VirtualMachine>> | null = null;
  readonly #guests = new Map<VirtualMachine, Promise<GuestFacts | null>>();
  readonly #runtimes = new Map<VirtualMachine, Promise<VirtualMachine['runtime'] | null>>();

  constructor(
    /** Null before a login. */
    readonly session: Viewer | null,
    /** Tasks of a VM that are not forgotten yet, the newest last. */
    readonly tasksOf: (vm: VirtualMachine) => readonly ManagedObjectReference[],
  ) {}

  /** The VMs by their references, listed by `list` when they are first wanted: who runs them may be slow to tell. */
  vms(
    list: () => Promise<ReadonlyMap<string, VirtualMachine>>,
  ): Promise<ReadonlyMap<string, VirtualMachine>> {
    this.#vms ??= list();
    return this.#vms;
  }

  /** The VM with its properties as they are now. Never fails. */
  ask(vm: VirtualMachine): Promise<Asked> {
    let asked = this.#asked.get(vm);
    if (asked === undefined) {
      asked = vm.refresh().then(
        () => ({ vm, fault: null }),
        (thrown: unknown) => ({ vm: null, fault: toFault(thrown) }),
      );
      this.#asked.set(vm, asked);
    }
    return asked;
  }

  /** Whether a VM runs: of one that is asked for more in this call the same, else as little as that takes. Null where it cannot be asked. */
  async runtime(vm: VirtualMachine): Promise<VirtualMachine['runtime'] | null> {
    if (this.#asked.has(vm)) return (await this.ask(vm)).vm?.runtime ?? null;
    let runtime = this.#runtimes.get(vm);
    if (runtime === undefined) {
      runtime = vm.readRuntime().catch(() => null);
      this.#runtimes.set(vm, runtime);
    }
    return runtime;
  }

  /** What the guest of a VM that runs says of itself; null where it is off, or nobody says anything. One without an agent is not asked. */
  async guest(vm: VirtualMachine): Promise<GuestFacts | null> {
    if (vm.entry.agentSocket === undefined) return null;
    if ((await this.runtime(vm))?.powerState !== 'poweredOn') return null;
    let facts = this.#guests.get(vm);
    if (facts === undefined) {
      facts = guestFactsOf(vm.entry);
      this.#guests.set(vm, facts);
    }
    return facts;
  }

  /** The same, where there is no property without it: throws why it could not be asked. */
  async require(vm: VirtualMachine): Promise<VirtualMachine> {
    const asked = await this.ask(vm);
    if (asked.vm === null) throw asked.fault;
    return asked.vm;
  }
}
