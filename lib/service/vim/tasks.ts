/** Tasks of the service: each is an object until some time after its end, so that a client that was away still learns how it went. */
import type { ManagedObjectReference, Task, VirtualMachine } from '../../facade/vsphere/index.js';
import type { Changes } from './collector/changes.js';
import type { Viewer } from './reading.js';
import type { WireTaskInfo } from './taskInfo.js';
import { NO_STORE, type TaskStore } from './taskRecords.js';
import { WireObject } from './wireObject.js';

const KEPT_MS = 10 * 60_000;
const MOST_KEPT = 1000;

interface Kept {
  /** Null for one of an earlier service. */
  task: Task<unknown> | null;
  vm: Pick<VirtualMachine, 'value' | 'name'>;
  object: WireObject;
  /** As it is shown: its end only when that is remembered. */
  info: WireTaskInfo;
  /** When it ended, by the clock of the process; null until its end is shown. */
  ended: number | null;
  /** The last thing written of it. */
  written: Promise<void>;
}

/** The tasks that are not forgotten. */
export class Tasks {
  readonly #kept = new Map<string, Kept>();

  constructor(
    readonly changes: Changes,
    readonly store: TaskStore = NO_STORE,
    /** Told where a task could not be remembered: it goes on all the same. */
    readonly onFailure: (error: Error) => void = () => undefined,
  ) {}

  /** Takes in what an earlier service remembered. */
  async restore(): Promise<void> {
    for (const info of await this.store.read(Date.now() - KEPT_MS, MOST_KEPT, this.onFailure)) {
      const { key, entity, entityName, completeTime = '' } = info;
      const ended = performance.now() - Math.max(0, Date.now() - Date.parse(completeTime));
      const kept = this.#keep(null, { value: entity.value, name: entityName }, info, ended);
      this.#kept.set(key, kept);
    }
  }

  /** Takes a task in that a session began; its reference is the answer to whoever began it, and is remembered when this returns. */
  async add(task: Task<unknown>, vm: VirtualMachine, { user }: Viewer): Promise<WireObject> {
    this.#forget();
    const infoNow = (): WireTaskInfo => ({
      ...task.info,
      _type: 'TaskInfo',
      reason: { _type: 'TaskReasonUser', userName: user.name },
    });
    const kept = this.#keep(task, vm, infoNow(), null);
    this.#kept.set(task.value, kept);
    const begun = this.#write(kept, { ...kept.info, state: 'running' });
    let isOver = false;
    task.onChange = () => {
      if (isOver) return;
      const info = infoNow();
      isOver = info.completeTime !== undefined;
      if (!isOver) this.#show(kept, info);
      // Whoever is shown an end is shown the same one by the next service.
      else void this.#writeEnd(kept, info).then(() => this.#end(kept, info));
    };
    // It may have ended already.
    task.onChange();
    await begun;
    return kept.object;
  }

  /** A task of a VM that the caller may see; null where there is none any more. */
  find(value: string, maySee: (vm: Kept['vm']) => boolean): WireObject | null {
    this.#forget();
    const kept = this.#kept.get(value);
    return kept !== undefined && maySee(kept.vm) ? kept.object : null;
  }

  /** The task itself, to be cancelled; null for one of an earlier service, which has ended. */
  task(value: string): Task<unknown> | null {
    return this.#kept.get(value)?.task ?? null;
  }

  /** Those of a VM, the oldest first. */
  recent(vm: VirtualMachine): ManagedObjectReference[] {
    return this.recentOf(({ value }) => value === vm.value);
  }

  /** Those of some VMs. */
  recentOf(wanted: (vm: Kept['vm']) => boolean): ManagedObjectReference[] {
    this.#forget();
    return [...this.#kept.values()].filter(({ vm }) => wanted(vm)).map(({ object }) => object);
  }

  /** What is shown of those that are kept. */
  infos(maySee: (vm: Kept['vm']) => boolean): WireTaskInfo[] {
    return [...this.#kept.values()].filter(({ vm }) => maySee(vm)).map(({ info }) => info);
  }

  /** Asks every one that runs to stop, and waits until all have ended and that is remembered. */
  async stop(): Promise<void> {
    const kept = [...this.#kept.values()];
    for (const { task, ended } of kept) if (ended === null) task?.CancelTask();
    await Promise.allSettled(kept.map(({ task }) => task?.wait()));
    await Promise.all(kept.map(({ written }) => written));
  }

  /** Those that run. */
  get running(): number {
    return [...this.#kept.values()].filter(({ ended }) => ended === null).length;
  }

  #keep(task: Kept['task'], vm: Kept['vm'], info: WireTaskInfo, ended: number | null): Kept {
    const object = new WireObject('Task', info.key, { info: () => kept.info });
    const kept: Kept = { task, vm, info, ended, object, written: Promise.resolve() };
    return kept;
  }

  #show(kept: Kept, info: WireTaskInfo): void {
    kept.info = info;
    this.changes.tell();
  }

  #end(kept: Kept, info: WireTaskInfo): void {
    kept.ended = performance.now();
    this.#show(kept, info);
  }

  /** One after the other; never fails. */
  #write(kept: Kept, info: WireTaskInfo): Promise<void> {
    kept.written = kept.written.then(() => this.store.write(info)).catch(this.onFailure);
    return kept.written;
  }

  /** The same of its end. Where that cannot be written nothing is remembered: the next service would tell of a failure that was none. */
  #writeEnd(kept: Kept, info: WireTaskInfo): Promise<void> {
    kept.written = kept.written
      .then(() => this.store.write(info))
      .catch((error: Error) => {
        this.onFailure(error);
        return this.store.remove(info.key);
      })
      .catch(this.onFailure);
    return kept.written;
  }

  #forget(): void {
    const now = performance.now();
    for (const [value, kept] of this.#kept) {
      if (kept.ended === null || (now - kept.ended <= KEPT_MS && this.#kept.size <= MOST_KEPT)) continue;
      this.#kept.delete(value);
      kept.written = kept.written.then(() => this.store.remove(value)).catch(this.onFailure);
    }
  }
}
