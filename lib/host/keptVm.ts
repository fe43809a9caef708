/**
 * A VM that is kept at hand: connected when it is first wanted, connected anew when it was lost, and every change of that told. One that is off
 * holds nothing to be kept, and is opened each time.
 */
import type { CallOptions } from '../core/callOptions.js';
import { CbtError, throwIfAborted } from '../core/errors.js';
import { onAbort } from '../core/onAbort.js';
import { untilAborted } from '../core/untilAborted.js';
import type { Vm } from '../core/vm.js';
import { within } from '../core/within.js';
import { type OpenVmOptions, openVm } from './openVm.js';

/** What a pool knows of a VM. */
export type VmState = 'idle' | 'connecting' | 'connected' | 'lost' | 'waiting' | 'off' | 'closed';

/** A change of state; `error` says why it is lost, or why connecting failed. */
export interface VmStateEvent {
  /** Its name. */
  readonly vm: string;
  /** What it is now. */
  readonly state: VmState;
  /** Why, where something went wrong; else null. */
  readonly error: CbtError | null;
  /** `waiting`: milliseconds until it is tried again. */
  readonly delayMs: number | null;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;

export class KeptVm {
  readonly name: string;
  readonly #options: OpenVmOptions;
  readonly #tell: (event: VmStateEvent) => void;
  state: VmState = 'idle';
  #vm: Promise<Vm> | null = null;
  /** Who it was when it was first met: another one in its place is refused. */
  #key: string | null = null;
  readonly #claimed = new WeakSet<Vm>();
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #callOff: () => void = () => undefined;
  /** Nobody wants what is being connected to. */
  readonly #given = new AbortController();

  constructor(name: string, options: OpenVmOptions, tell: (event: VmStateEvent) => void) {
    this.name = name;
    this.#options = options;
    this.#tell = tell;
  }

  /**
   * Works on the VM as it is now. The connection is everybody's; `signal` and `timeoutMs` are those of waiting for it, and the work's calls have their own.
   */
  async use<T>(work: (vm: Vm) => Promise<T>, options?: CallOptions): Promise<T> {
    const vm = await within('use', options, (own) => this.#claim(own?.signal));
    if (vm.running) return work(vm);
    try {
      return await work(vm);
    } finally {
      await vm.close();
    }
  }

  /** One that is off is one user's, who closes it; another opens it for himself. */
  async #claim(signal: AbortSignal | undefined): Promise<Vm> {
    for (;;) {
      throwIfAborted(signal);
      const opening = this.#get();
      const vm = await untilAborted(opening, signal).catch((error: unknown) => {
        // Where nobody waits any more, nobody has it.
        opening.then((late) => (this.#isMine(late) ? late.close() : undefined)).catch(() => undefined);
        throw error;
      });
      if (vm.running || this.#isMine(vm)) return vm;
    }
  }

  #isMine(vm: Vm): boolean {
    if (vm.running || this.#claimed.has(vm)) return false;
    this.#claimed.add(vm);
    return true;
  }

  /** Ends the connection; it is not made again. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    this.#callOff();
    const vm = this.#vm;
    this.#vm = null;
    this.#become('closed');
    this.#given.abort();
    await vm?.then((open) => open.close()).catch(() => undefined);
  }

  #get(): Promise<Vm> {
    if (this.state === 'closed') throw new CbtError('ERR_CBT_CLOSED', 'the pool is closed');
    this.#vm ??= this.#connect();
    return this.#vm;
  }

  async #connect(): Promise<Vm> {
    clearTimeout(this.#retry);
    this.#become('connecting');
    try {
      const vm = await openVm({ ...this.#options, signal: this.#given.signal });
      await this.#requireSame(vm);
      // Closed meanwhile, nobody would close it again.
      if (this.#closed()) await this.#give(vm, new CbtError('ERR_CBT_CLOSED', 'the pool is closed'));
      this.#failures = 0;
      if (!vm.running) {
        this.#vm = null;
        this.#become('off');
        return vm;
      }
      this.#become('connected');
      if (vm.lost.aborted) this.#lost(vm);
      else this.#callOff = onAbort(vm.lost, () => this.#lost(vm));
      return vm;
    } catch (error) {
      this.#vm = null;
      if (!this.#closed()) this.#wait(asCbt(error));
      throw error;
    }
  }

  async #requireSame(vm: Vm): Promise<void> {
    this.#key ??= vm.key;
    if (vm.key === this.#key) return;
    const message = `the VM of ${this.name} was ${this.#key}, and now another one is there: ${vm.key}`;
    const details = { expected: this.#key, found: vm.key };
    await this.#give(vm, new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { details }));
  }

  async #give(vm: Vm, why: CbtError): Promise<never> {
    await vm.close();
    throw why;
  }

  #closed(): boolean {
    return this.state === 'closed';
  }

  #lost(vm: Vm): void {
    this.#callOff();
    this.#vm = null;
    const why = asCbt(vm.lost.reason);
    this.#become('lost', why);
    void vm.close().catch(() => undefined);
    this.#wait(why);
  }

  /** Tries again by itself: a service is told when the VM is back. Whoever wants it meanwhile tries at once. */
  #wait(error: CbtError): void {
    const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#become('waiting', error, delayMs);
    this.#retry = setTimeout(() => {
      if (this.state === 'waiting') this.use(async () => undefined).catch(() => undefined);
    }, delayMs);
    // Keeps no process alive.
    this.#retry.unref();
  }

  #become(state: VmState, error: CbtError | null = null, delayMs: number | null = null): void {
    if (this.state === state && state !== 'waiting') return;
    this.state = state;
    this.#tell(Object.freeze({ vm: this.name, state, error, delayMs }));
  }
}

function asCbt(error: unknown): CbtError {
  if (error instanceof CbtError) return error;
  return new CbtError('ERR_CBT_INTERNAL', String(error), { cause: error });
}
