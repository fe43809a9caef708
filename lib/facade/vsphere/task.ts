/** A task: work that goes on after the call that began it. Its `info` is the API's TaskInfo, as far as clients read it. */
import { randomInt, randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import type { CallOptions } from '../../core/callOptions.js';
import { untilAborted } from '../../core/untilAborted.js';
import { toFault } from './faults.js';
import { inTime } from './inTime.js';
import { ManagedObject } from './managedObject.js';
import type { MethodFault } from './methodFault.js';
import type { ManagedObjectReference } from './reference.js';
import { METHODS, TYPES } from './schema/schema.js';

/** State of a task. Times are ISO 8601; `error` once it is `error`, `result` once it is `success`. */
export interface TaskInfo<T> {
  /** Value of the task’s reference. */
  key: string;
  /** The task. */
  task: Task<T>;
  /** Name of the method, as on the wire. */
  name: string;
  /** As in reports: `VirtualMachine.createSnapshot`. */
  descriptionId: string;
  /** The VM, also where the method is one of a snapshot. */
  entity: ManagedObjectReference;
  /** Name of what it is about. */
  entityName: string;
  /** Where it is. */
  state: 'queued' | 'running' | 'success' | 'error';
  /** Whether it was asked to stop. */
  cancelled: boolean;
  /** Whether it can be asked to stop. */
  cancelable: boolean;
  /** The fault that it ended with. */
  error?: MethodFault;
  /** What it ended with. */
  result?: T;
  /** Per cent, while it runs. */
  progress?: number;
  /** Who began it: the user that this process runs as. */
  reason: { _type: 'TaskReasonUser'; userName: string };
  /** When it was made, ISO 8601. */
  queueTime: string;
  /** When it began, ISO 8601. */
  startTime?: string;
  /** When it ended, ISO 8601. */
  completeTime?: string;
  /** The same for all that this task causes: nothing but itself here. */
  eventChainId: number;
}

/** What a task is about. */
export interface TaskSubject {
  /** `<type>.<method>`. */
  method: string;
  /** What it is about. */
  entity: ManagedObjectReference;
  /** Name of what it is about. */
  entityName: string;
}

/**
 * A task that has begun. It never rejects by itself: look at `info`, or `wait` for it.
 * @example
 * ```ts
 * const vm = await connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] }).findVm('web');
 * const task = vm?.CreateSnapshot_Task('nightly', '', false, false);
 * const snapshot = await task?.wait();
 * console.log(task?.info.state);
 * await snapshot?.RemoveSnapshot_Task(false).wait();
 * ```
 */
export class Task<T> extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'Task';
  /** Value of its reference. */
  readonly value: string = `task-${randomUUID()}`;
  /** How it stands. */
  readonly info: TaskInfo<T>;
  /** @internal Told at each change of `info`. */
  onChange: () => void = () => undefined;
  readonly #cancel = new AbortController();
  readonly #done: Promise<void>;

  /** @internal */
  constructor(
    { method, entity, entityName }: TaskSubject,
    work: (signal: AbortSignal, progress: (percent: number) => void) => Promise<T>,
  ) {
    super();
    this.info = {
      key: this.value,
      task: this,
      name: method.slice(method.indexOf('.') + 1),
      descriptionId: descriptionOf(method),
      entity,
      entityName,
      state: 'queued',
      cancelled: false,
      cancelable: true,
      reason: { _type: 'TaskReasonUser', userName: userName() },
      queueTime: new Date().toISOString(),
      eventChainId: randomInt(1, 2 ** 31),
    };
    this.#done = this.#run(work);
  }

  /**
   * The result; throws the fault the task ended with. A signal and a time are those of the waiting alone: the task goes on, and
   * {@link CancelTask} is what ends it.
   * @param options Signal and deadline.
   * @throws The fault that the task ended with; RequestCanceled or Timedout, with `info.state` as it is, where only the waiting ended.
   */
  async wait(options?: CallOptions): Promise<T> {
    await inTime('wait', options, ({ signal }) => untilAborted(this.#done, signal, 'the task'));
    const { error, result } = this.info;
    if (error !== undefined) throw error;
    return result as T;
  }

  /**
   * Asks the work to stop; what it has done is undone, and it ends with RequestCanceled.
   * @returns At once; how the task ended is in its `info`.
   */
  CancelTask(): void {
    this.info.cancelled = true;
    this.#cancel.abort();
    this.onChange();
  }

  async #run(work: (signal: AbortSignal, progress: (percent: number) => void) => Promise<T>): Promise<void> {
    const { info } = this;
    // A caller sees the task queued before anything of it happens, as over the wire.
    await Promise.resolve();
    info.state = 'running';
    info.startTime = new Date().toISOString();
    info.progress = 0;
    this.onChange();
    try {
      info.result = await work(this.#cancel.signal, (percent) => {
        info.progress = percent;
        this.onChange();
      });
      info.state = 'success';
    } catch (thrown) {
      info.error = toFault(thrown);
      info.state = 'error';
    }
    info.completeTime = new Date().toISOString();
    delete info.progress;
    this.onChange();
  }
}

/** `VirtualMachine.createSnapshot` of `VirtualMachine.CreateSnapshot_Task`: by the names that the API has inside. */
function descriptionOf(method: string): string {
  const { owner = '', inner = '' } = METHODS.get(method) ?? {};
  return `${TYPES.get(owner)?.inner.replace(/^vim\./, '')}.${inner}`;
}

/** A user without an entry in the system's list has his number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? '');
  }
}
