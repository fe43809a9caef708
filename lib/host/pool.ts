/** Many VMs for a service: connections that are kept and made anew, limits on what is done at a time, and what a run before this one left. */
import type { CallOptions } from '../core/callOptions.js';
import { closing } from '../core/closing.js';
import { CbtError, invalidArgument } from '../core/errors.js';
import { warnOfCallback } from '../core/failedCallback.js';
import {
  type Check,
  type Checks,
  callback,
  checkCall,
  checkOptions,
  integer,
  mapOf,
  required,
  shape,
  text,
} from '../core/options.js';
import { timeLeft } from '../core/timeLeft.js';
import type { Vm } from '../core/vm.js';
import { within } from '../core/within.js';
import { KeptVm, type VmState, type VmStateEvent } from './keptVm.js';
import { keepChecks, type OpenVmOptions, requireWay } from './openVm.js';
import { type Kinds, Places } from './places.js';
import { type FoundSession, recoverVm } from './recoverVm.js';

export type { FoundSession } from './recoverVm.js';

/** A VM of a pool. */
export interface PooledVm extends Omit<OpenVmOptions, 'signal'> {
  /** What it shares with others (its host, its storage), for the limit on a group. */
  group?: string | undefined;
}

/** How much work goes on at a time. */
export interface PoolLimits {
  /** Over all VMs; 8 unless given. */
  all?: number | undefined;
  /** On the VMs of one group; as many as `all` unless given. */
  group?: number | undefined;
  /** On one VM; 1 unless given. */
  vm?: number | undefined;
}

/** The VMs of a pool, and how it works on them. */
export interface PoolOptions {
  /** By the names that the pool calls them. */
  vms: Readonly<Record<string, PooledVm>>;
  /** How many are used at a time; none unless given. */
  limits?: PoolLimits | undefined;
  /** Told of every change of a VM's state. One that throws ends nothing, and is warned of. */
  onState?: ((event: VmStateEvent) => void) | undefined;
}

/** What was found on a VM, or why it could not be looked at. */
export type Recovered = { vm: string } & (
  | { sessions: FoundSession[]; error?: undefined }
  | { sessions?: undefined; error: CbtError }
);

const LIMIT = integer(1);
const LIMITS: Checks<PoolLimits> = { all: LIMIT, group: LIMIT, vm: LIMIT };
const POOLED: Checks<PooledVm> = { ...keepChecks, group: text };
const pooled: Check = (value, name) => {
  shape<PooledVm>(POOLED)(value, name);
  requireWay(value as PooledVm, `${name}.`);
};
const POOL: Checks<PoolOptions> = {
  vms: required(mapOf(pooled)),
  limits: shape<PoolLimits>(LIMITS),
  onState: callback,
};
/** Node's timers hold no more. */
const FOR_EVER_MS = 2 ** 31 - 1;

/**
 * Keeps VMs at hand. Nothing is connected before it is wanted. A VM that is lost is connected anew by itself, after half a second and then ever
 * longer up to half a minute; another VM in its place is refused.
 * @param options The VMs, and limits.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be.
 * @example
 * ```ts
 * await using pool = createPool({ vms: { web: { address: '/run/vms/web.qmp' } } });
 * const left = await pool.recover();
 * ```
 */
export function createPool(options: PoolOptions): VmPool {
  return new VmPool(options);
}

/**
 * VMs at hand, each used in its turn.
 * @example
 * ```ts
 * await using pool = createPool({ vms: { web: { address: '/run/vms/web.qmp' } } });
 * const disks = await pool.use('web', (vm) => vm.disks());
 * ```
 */
export class VmPool implements AsyncDisposable {
  readonly #vms: ReadonlyMap<string, { kept: KeptVm; options: PooledVm }>;
  readonly #limits: Required<{ [Name in keyof PoolLimits]: number }>;
  readonly #places = new Places();

  /** @internal {@link createPool} makes it. */
  constructor(options: PoolOptions) {
    checkOptions('createPool', options, POOL);
    const { vms, limits = {}, onState } = options;
    const { all = 8, vm = 1 } = limits;
    this.#limits = { all, vm, group: limits.group ?? all };
    const tell = (event: VmStateEvent): void => {
      try {
        onState?.(event);
      } catch (error) {
        warnOfCallback('onState failed', error);
      }
    };
    this.#vms = new Map(
      Object.entries(vms).map(([name, { group, ...open }]) => {
        return [name, { kept: new KeptVm(name, open, tell), options: { ...open, group } }];
      }),
    );
  }

  /**
   * Names and states of the VMs.
   * @returns One for each VM.
   */
  states(): { vm: string; state: VmState }[] {
    return [...this.#vms].map(([vm, { kept }]) => ({ vm, state: kept.state }));
  }

  /** Work that waits for its turn. */
  get waiting(): number {
    return this.#places.waiting;
  }

  /**
   * Works on a VM when it is its turn: connected, or off. `signal` and `timeoutMs` are those of the waiting; what the work calls takes its own.
   * The VM is the pool's to close.
   * @param name Its name.
   * @param work Is handed what it works on; what it returns is returned.
   * @param options Signal and deadline.
   * @throws `CbtError` where it cannot be reached; what `work` throws.
   */
  async use<T>(name: string, work: (vm: Vm) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const { kept, options: vm } = this.#find(name);
    callback(work, 'work');
    checkCall('use', options);
    const left = timeLeft(options);
    const { signal, timeoutMs = FOR_EVER_MS } = options;
    const late = `no turn for ${name} in ${timeoutMs} ms: ${this.waiting} wait before it`;
    const leave = await this.#places.enter(this.#kindsOf(name, vm), {
      signal,
      timeoutMs,
      onTimeout: () =>
        new CbtError('ERR_CBT_TIMEOUT', late, { reason: 'BUSY', details: { vm: name, timeoutMs } }),
    });
    try {
      return await kept.use(work, left());
    } finally {
      leave();
    }
  }

  /**
   * After a restart: ends what a process of this machine that died left on the running VMs, sessions and questions, and tells of sessions that
   * are somebody's. Each VM by itself.
   * @param options Signal and deadline.
   * @throws `CbtError` where nothing could be looked at.
   */
  async recover(options: CallOptions = {}): Promise<Recovered[]> {
    checkCall('recover', options);
    return within('recover', options, async (own = {}) => {
      const look = async (name: string, { address, scratchFolder }: PooledVm): Promise<Recovered> => {
        const ends = async ({ running }: Vm): Promise<FoundSession[]> =>
          running && address !== undefined ? recoverVm(address, { scratchFolder, signal: own.signal }) : [];
        try {
          return { vm: name, sessions: await this.use(name, ends, own) };
        } catch (error) {
          if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
          return { vm: name, error };
        }
      };
      return Promise.all([...this.#vms].map(([name, one]) => look(name, one.options)));
    });
  }

  /**
   * Ends every connection; open sessions are rolled back (`Vm.close`). Cancelled or late, only the waiting ends, and the closing goes on.
   * @param options Signal and deadline.
   * @throws `CbtError` where closing failed.
   */
  async close(options?: CallOptions): Promise<void> {
    await closing('close', options, async () => {
      await Promise.all([...this.#vms.values()].map(({ kept }) => kept.close()));
    });
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #kindsOf(name: string, { group }: PooledVm): Kinds {
    const { all, vm, group: ofGroup } = this.#limits;
    const kinds = new Map([
      ['all', all],
      [`vm ${name}`, vm],
    ]);
    if (group !== undefined) kinds.set(`group ${group}`, ofGroup);
    return kinds;
  }

  #find(name: string) {
    const found = this.#vms.get(name);
    if (found === undefined)
      throw invalidArgument('name', name, `a VM of the pool: ${[...this.#vms.keys()].join(', ')}`);
    return found;
  }
}
