/** Work that goes on after the call that began it: its outcome, and the handles it gives. */
import { PHT_JOB, PHT_RESULT } from '../constants/handleTypes.js';
import { PRL_ERR_OPERATION_PENDING, PRL_ERR_SUCCESS, type PRL_RESULT } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { type PrlObject, runtime } from '../runtime.js';

/** One value that a job gave: a handle's object, or a text. */
export type ResultValue = PrlObject | string;

export class Result implements PrlObject {
  readonly handleType = PHT_RESULT;

  constructor(readonly values: readonly ResultValue[]) {}

  async close(): Promise<void> {
    // The values are their own handles' to close.
  }
}

export class Job implements PrlObject {
  readonly handleType = PHT_JOB;
  readonly #cancel = new AbortController();
  readonly #done: Promise<void>;
  #result: Result | null = null;
  #code: PRL_RESULT | null = null;

  constructor(work: (signal: AbortSignal) => Promise<readonly ResultValue[]>) {
    this.#done = this.#run(work);
  }

  /** Starts work and gives the job's handle: what an SDK call with a job returns, whatever its arguments were. */
  static start(work: (signal: AbortSignal) => Promise<readonly ResultValue[]>): number {
    return runtime().table.add(new Job(work));
  }

  get finished(): boolean {
    return this.#code !== null;
  }

  /** What the work ended with. */
  get code(): PRL_RESULT {
    if (this.#code === null) throw new PrlError(PRL_ERR_OPERATION_PENDING, 'the job is still running');
    return this.#code;
  }

  get result(): Result {
    if (this.#result === null) {
      const { code } = this;
      throw new PrlError(code, 'the job failed and has no result');
    }
    return this.#result;
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

  async #run(work: (signal: AbortSignal) => Promise<readonly ResultValue[]>): Promise<void> {
    try {
      this.#result = new Result(await work(this.#cancel.signal));
      this.#code = PRL_ERR_SUCCESS;
    } catch (thrown) {
      this.#code = runtime().answer(thrown);
    }
  }
}
