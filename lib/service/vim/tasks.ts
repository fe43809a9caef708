/** Tasks of the service: each is an object until some time after its end, so that a client that was away still learns how it went. */
import type { ManagedObjectReference, Task, TaskInfo, VirtualMachine } from '../../facade/vsphere/index.js';
import type { Changes } from './collector/changes.js';
import type { Viewer } from './reading.js';
import { WireObject } from './wireObject.js';

const KEPT_MS = 10 * 60_000;
const MOST_KEPT = 1000;

/** What a client is shown of a task. */
export type WireTaskInfo = TaskInfo<unknown> & { _type: 'TaskInfo' };

interface Kept {
  task: Task<unknown>;
  vm: VirtualMachine;
  userName: string;
  object: WireObject;
  ended: number | null;
}

/** The tasks that are not forgotten. */
export class Tasks {
  readonly #kept = new Map<string, Kept>();

  constructor(
    readonly changes: Changes,
    /** Told when one has ended. */
    readonly onEnd: (info: WireTaskInfo) => void = () => undefined,
  ) {}

  /** Takes a task in that a session began; its reference is the answer to whoever began it. */
  add(task: Task<unknown>, vm: VirtualMachine, { user }: Viewer): WireObject {
    this.#forget();
    const kept: Kept = {
      task,
      vm,
      userName: user.name,
      ended: null,
      object: new WireObject('Task', task.value, { info: () => infoOf(kept) }),
    };
    task.onChange = () => {
      if (kept.ended === null && task.info.completeTime !== undefined) {
        kept.ended = performance.now();
        this.onEnd(infoOf(kept));
      }
      this.changes.tell();
    };
    this.#kept.set(task.value, kept);
    return kept.object;
  }

  /** A task of a VM that the caller may see; null where there is none any more. */
  find(value: string, maySee: (vm: VirtualMachine) => boolean): WireObject | null {
    this.#forget();
    const kept = this.#kept.get(value);
    return kept !== undefined && maySee(kept.vm) ? kept.object : null;
  }

  /** The task itself, to be cancelled. */
  task(value: string): Task<unknown> | null {
    return this.#kept.get(value)?.task ?? null;
  }

  /** Those of a VM, the oldest first. */
  recent(vm: VirtualMachine): ManagedObjectReference[] {
    return this.recentOf(({ value }) => value === vm.value);
  }

  /** Those of some VMs. */
  recentOf(wanted: (vm: VirtualMachine) => boolean): ManagedObjectReference[] {
    this.#forget();
    return [...this.#kept.values()].filter(({ vm }) => wanted(vm)).map(({ object }) => object);
  }

  /** What is shown of those that are kept. */
  infos(maySee: (vm: VirtualMachine) => boolean): WireTaskInfo[] {
    return [...this.#kept.values()].filter(({ vm }) => maySee(vm)).map(infoOf);
  }

  /** Asks every one that runs to stop, and waits until all have ended. */
  async stop(): Promise<void> {
    const running = [...this.#kept.values()].filter(({ ended }) => ended === null).map(({ task }) => task);
    for (const task of running) task.CancelTask();
    await Promise.allSettled(running.map((task) => task.wait()));
  }

  /** Those that run. */
  get running(): number {
    return [...this.#kept.values()].filter(({ ended }) => ended === null).length;
  }

  #forget(): void {
    const now = performance.now();
    for (const [value, { ended }] of this.#kept)
      if (ended !== null && (now - ended > KEPT_MS || this.#kept.size > MOST_KEPT)) this.#kept.delete(value);
  }
}

function infoOf({ task, userName }: Kept): WireTaskInfo {
  return { ...task.info, _type: 'TaskInfo', reason: { _type: 'TaskReasonUser', userName } };
}
