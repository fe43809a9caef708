/** Work that goes on after the call that began it: its outcome, and the handles it gives. */
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { PHT_JOB, PHT_RESULT } from '../constants/handleTypes.js';
import {
  PRL_ERR_INVALID_ARG,
  PRL_ERR_NO_DATA,
  PRL_ERR_OPERATION_PENDING,
  PRL_ERR_SUCCESS,
  PRL_ERR_UNIMPLEMENTED,
  PRL_ERR_UNINITIALIZED,
  type PRL_RESULT,
} from '../constants/results.js';
import { PrlError, toPrlError } from '../errors.js';
import { type PrlObject, runtime } from '../runtime.js';
import { PrlEvent } from './event.js';

/** One value that a job gave: a handle's object, or a text. */
export type ResultValue = PrlObject | string;

export class Result implements PrlObject {
  readonly handleType = PHT_RESULT;

  constructor(readonly values: readonly ResultValue[]) {}

  /** The value at an index; the SDK's PRL_ERR_INVALID_ARG past the last. */
  at(index: number): ResultValue {
    const value = this.values[index];
    if (value !== undefined) return value;
    throw new PrlError(
      PRL_ERR_INVALID_ARG,
      `the result has ${this.values.length} parameters, none at ${index}`,
    );
  }

  /** The value at an index as text. */
  textAt(index: number): string {
    const value = this.at(index);
    if (typeof value === 'string') return value;
    if (value.toText !== undefined) return value.toText();
    throw new PrlError(PRL_ERR_INVALID_ARG, `the parameter at ${index} has no text`);
  }

  async close(): Promise<void> {
    // The values are their own handles' to close.
  }
}

/** What a job does: which operation of the SDK it is, and of which handle it was asked. */
export interface JobKind {
  /** A `PJOC_` value. */
  operation: number;
  /** Whose event handlers are told of the job's end. */
  of?: PRL_HANDLE | undefined;
}

type Work = (signal: AbortSignal) => Promise<readonly ResultValue[]>;

export class Job implements PrlObject {
  readonly handleType = PHT_JOB;
  readonly operation: number;
  readonly #cancel = new AbortController();
  readonly #done: Promise<void>;
  #result: Result = new Result([]);
  #code: PRL_RESULT | null = null;
  #error: PrlEvent | null = null;

  constructor({ operation, of }: JobKind, work: Work) {
    this.operation = operation;
    const owner = runtime().table.get(of, Object);
    this.#done = this.#run(work).then(() => {
      if (owner !== undefined) runtime().handlers.tell(owner, this);
    });
  }

  /** Starts work and gives the job's handle: what an SDK call with a job returns, whatever its arguments were. */
  static start(kind: JobKind, work: Work): number {
    return runtime().table.add(new Job(kind, work));
  }

  get finished(): boolean {
    return this.#code !== null;
  }

  /** What the work ended with; PRL_ERR_UNINITIALIZED until then. */
  get code(): PRL_RESULT {
    return this.#code ?? PRL_ERR_UNINITIALIZED;
  }

  /** What it gave; empty where it failed. */
  get result(): Result {
    if (this.#code === null) throw new PrlError(PRL_ERR_OPERATION_PENDING, 'the job is still running');
    return this.#result;
  }

  /** Why it failed. */
  get error(): PrlEvent {
    if (this.#error === null) throw new PrlError(PRL_ERR_NO_DATA, 'the job has no error');
    return this.#error;
  }

  /** Whether its work was begun: not where its arguments were refused, or there is no such work here. */
  get wasSent(): boolean {
    return this.#code !== PRL_ERR_INVALID_ARG && this.#code !== PRL_ERR_UNIMPLEMENTED;
  }

  /** False when the time is over first. */
  async wait(milliseconds: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), Math.min(milliseconds, 2 ** 31 - 1));
    });
    try {
      return await Promise.race([this.#done.then(() => true), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  cancel(): void {
    this.#cancel.abort();
  }

  async close(): Promise<void> {
    // A job whose handle is gone still ends as it would have.
  }

  async #run(work: Work): Promise<void> {
    try {
      this.#result = new Result(await work(this.#cancel.signal));
      this.#code = PRL_ERR_SUCCESS;
    } catch (thrown) {
      this.#code = runtime().answer(thrown);
      this.#error = new PrlEvent(this.#code, toPrlError(thrown).message, this);
    }
  }
}
