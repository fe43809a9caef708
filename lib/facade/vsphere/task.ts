/** A task: work that goes on after the call that began it. Its `info` is the API's TaskInfo, as far as clients read it. */
import { randomUUID } from 'node:crypto';
import { toFault } from './faults.js';
import type { MethodFault } from './methodFault.js';
import type { ManagedObjectReference } from './types.js';

/** State of a task. Times are ISO 8601; `error` once it is `error`, `result` once it is `success`. */
export interface TaskInfo<T> {
  key: string;
  /** Name of the method, as on the wire. */
  name: string;
  descriptionId: string;
  /** The VM, also where the method is one of a snapshot. */
  entity: ManagedObjectReference;
  state: 'queued' | 'running' | 'success' | 'error';
  cancelled: boolean;
  cancelable: boolean;
  /** Per cent, while it runs. */
  progress?: number;
  result?: T;
  error?: { fault: MethodFault; localizedMessage: string };
  queueTime: string;
  startTime?: string;
  completeTime?: string;
}

/** A task that has begun. It never rejects by itself: look at `info`, or `wait` for it. */
export class Task<T> {
  readonly moref: ManagedObjectReference;
  readonly info: TaskInfo<T>;
  readonly #cancel = new AbortController();
  readonly #done: Promise<void>;

  /** @internal */
  constructor(
    name: string,
    entity: ManagedObjectReference,
    work: (signal: AbortSignal, progress: (percent: number) => void) => Promise<T>,
  ) {
    const key = `task-${randomUUID()}`;
    this.moref = { type: 'Task', value: key };
    this.info = {
      key,
      name,
      descriptionId: name,
      entity,
      state: 'queued',
      cancelled: false,
      cancelable: true,
      queueTime: new Date().toISOString(),
    };
    this.#done = this.#run(work);
  }

  /** The result; throws the fault the task ended with. */
  async wait(): Promise<T> {
    await this.#done;
    const { error, result } = this.info;
    if (error !== undefined) throw error.fault;
    return result as T;
  }

  /** Asks the work to stop; what it has done is undone, and it ends with RequestCanceled. */
  CancelTask(): void {
    this.info.cancelled = true;
    this.#cancel.abort();
  }

  async #run(work: (signal: AbortSignal, progress: (percent: number) => void) => Promise<T>): Promise<void> {
    const { info } = this;
    // A caller sees the task queued before anything of it happens, as over the wire.
    await Promise.resolve();
    info.state = 'running';
    info.startTime = new Date().toISOString();
    info.progress = 0;
    try {
      info.result = await work(this.#cancel.signal, (percent) => {
        info.progress = percent;
      });
      info.state = 'success';
    } catch (thrown) {
      const fault = toFault(thrown);
      info.error = { fault, localizedMessage: fault.faultMessage[0]?.message ?? fault.message };
      info.state = 'error';
    }
    info.completeTime = new Date().toISOString();
    delete info.progress;
  }
}
