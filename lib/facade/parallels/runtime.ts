/**
 * One client's use of the library: how often it is initialised, the handles it was given, what it was told last, and who its VMs are.
 * Nothing of it is another client's.
 */
import type { CallOptions } from '../../core/callOptions.js';
import type { VmEntry } from '../../host/hostVm.js';
import { ClientState } from '../clientState.js';
import { closeAll } from '../closeAll.js';
import { HandleNumbers, HandleTable } from '../handleTable.js';
import type { Ref } from '../ref.js';
import { PRL_ERR_API_WASNT_INITIALIZED, type PRL_RESULT } from './constants/results.js';
import { invalid, PrlError, toPrlError } from './errors.js';
import { closeInTime } from './inTime.js';
import { EventHandlers } from './objects/eventHandlers.js';

/** What stands behind a handle. */
export interface PrlObject {
  /** PHT_ value of its handles. */
  readonly handleType: number;
  /**
   * Its text, where it has one.
   * @returns The text.
   */
  toText?(): string;
  /**
   * Called when the last reference is dropped.
   * @throws Where closing failed.
   */
  close(): Promise<void>;
}

/** The SDK's first handle. No number is given out twice in a process, so that one client's handle is never another's. */
const handleNumbers = new HandleNumbers(0xface);

/**
 * A client's own library, for {@link runWithRuntime}. Closed, it has no handle any more, and gives none.
 * @example
 * ```ts
 * await using client = new Runtime();
 * runWithRuntime(client, () => PrlApi_Init(VIRTUOZZO_API_VER));
 * ```
 */
export class Runtime implements AsyncDisposable {
  /** @internal */
  readonly table = new HandleTable(handleNumbers);
  /** @internal */
  readonly handlers = new EventHandlers((object: PrlObject) => this.add(object));
  /** @internal Where the local server's VMs come from; undefined for QEMU_CBT_VMS, else the host file. */
  vms: string | readonly VmEntry[] | undefined;
  /** @internal Whether images that are opened by path are trusted unless a call says otherwise. */
  trust = false;
  readonly #reasons = new Map<PRL_RESULT, string>();
  #initialised = 0;
  #closed = false;

  /** @internal */
  initialise(): void {
    this.#initialised += 1;
  }

  /** @internal Undoes one {@link initialise}; the last one closes what has a handle. */
  async deinitialise(): Promise<void> {
    this.requireInitialised();
    this.#initialised -= 1;
    if (this.#initialised === 0) await this.#closeAll();
  }

  /** @internal */
  requireInitialised(): void {
    if (this.#initialised === 0)
      throw new PrlError(PRL_ERR_API_WASNT_INITIALIZED, 'PrlApi_Init has not been called, or not again');
  }

  /** @internal Gives an object a handle; what was opened while the library was ended has none, and is closed. */
  add(object: PrlObject): number {
    if (this.#initialised > 0 && !this.#closed) return this.table.add(object);
    // Whoever waits for the end of the library does not wait for this; why it failed nobody can be told any more.
    void object.close().catch(() => undefined);
    throw new PrlError(PRL_ERR_API_WASNT_INITIALIZED, 'the library was ended meanwhile');
  }

  /** @internal What a call answers for what was thrown inside it. */
  answer(thrown: unknown): PRL_RESULT {
    const { result, message } = toPrlError(thrown);
    this.#reasons.set(result, message);
    return result;
  }

  /** @internal The newest reason for which this code was answered; empty when it never was. */
  lastReasonOf(result: PRL_RESULT): string {
    return this.#reasons.get(result | 0) ?? '';
  }

  /**
   * Ends its use: every object that has a handle is closed, open backups are rolled back. All are closed also where closing one fails;
   * the first failure is thrown.
   * @param options Signal and deadline; the closing goes on where only the waiting for it ends.
   * @throws The first failure of closing; everything is closed all the same.
   */
  async close(options?: CallOptions): Promise<void> {
    await closeInTime('close', options, async () => {
      this.#closed = true;
      this.#initialised = 0;
      await this.#closeAll();
    });
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #closeAll(): Promise<void> {
    await closeAll(...(this.table.clear() as PrlObject[]));
  }
}

const runtimes = new ClientState(new Runtime());

/** The library of the client whose call is running: the process's own unless {@link runWithRuntime} says otherwise. */
export function runtime(): Runtime {
  return runtimes.current;
}

/**
 * Runs calls for one of many clients: with his own handles, VMs, settings and last errors. What the calls start, jobs included, runs
 * for him too. One client's PrlApi_Deinit, and the closing of his library, leave the others as they are, and a handle of another is
 * none.
 * @param client His own library.
 * @param work Makes his calls.
 * @returns What `work` returns.
 * @throws What `work` throws.
 * @example
 * ```ts
 * await using client = new Runtime();
 * const code = runWithRuntime(client, () => PrlApi_Init(VIRTUOZZO_API_VER));
 * ```
 */
export function runWithRuntime<T>(client: Runtime, work: () => T): T {
  return runtimes.run(client, work);
}

/** Gives an object a handle, into the caller's box. */
export function give(out: Ref<number | undefined>, object: PrlObject): void {
  out.value = runtime().add(object);
}

/**
 * The object of a handle, of an initialised library; what is unknown, freed, zero, another client's or of another type is the SDK's
 * PRL_ERR_INVALID_ARG.
 */
export function take<T extends PrlObject>(
  argument: string,
  handle: unknown,
  type: abstract new (...args: never[]) => T,
): T {
  runtime().requireInitialised();
  return takeAnyTime(argument, handle, type);
}

/** The object of a handle of any type, of an initialised library. */
export function takeAny(argument: string, handle: unknown): PrlObject {
  runtime().requireInitialised();
  const object = runtime().table.get(handle, Object);
  if (object === undefined) throw invalid(argument, 'a live handle');
  return object as PrlObject;
}

/** As {@link take}, for the calls that do not look whether the library is initialised: those of disks and their maps. */
export function takeAnyTime<T extends PrlObject>(
  argument: string,
  handle: unknown,
  type: abstract new (...args: never[]) => T,
): T {
  const object = runtime().table.get(handle, type);
  if (object === undefined) throw invalid(argument, `a live handle of a ${type.name}`);
  return object;
}
