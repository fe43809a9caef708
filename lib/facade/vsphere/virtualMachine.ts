/**
 * A VM as the vSphere API shows it. Properties are what {@link VirtualMachine.refresh} read last, plain data; methods act on QEMU as it
 * is now. What a method does is in its file; here it gets a task, its turn, and the properties read anew.
 */
import type { CallOptions } from '../../core/callOptions.js';
import { untilAborted } from '../../core/untilAborted.js';
import { type HostVm, idText, type VmEntry } from '../../host/hostVm.js';
import { InvalidState } from './faultClasses.js';
import { objectNotFound, toFault } from './faults.js';
import { inTime } from './inTime.js';
import { ManagedObject } from './managedObject.js';
import type { MethodFault } from './methodFault.js';
import { ConsolidateVMDisks_Task } from './methods/ConsolidateVMDisks_Task.js';
import { CreateSnapshot_Task } from './methods/CreateSnapshot_Task.js';
import { CreateSnapshotEx_Task } from './methods/CreateSnapshotEx_Task.js';
import { QueryChangedDiskAreas } from './methods/QueryChangedDiskAreas.js';
import { ReconfigVM_Task } from './methods/ReconfigVM_Task.js';
import { RemoveAllSnapshots_Task } from './methods/RemoveAllSnapshots_Task.js';
import { RemoveSnapshot_Task } from './methods/RemoveSnapshot_Task.js';
import { RenameSnapshot } from './methods/RenameSnapshot.js';
import { RevertToCurrentSnapshot_Task } from './methods/RevertToCurrentSnapshot_Task.js';
import { RevertToSnapshot_Task } from './methods/RevertToSnapshot_Task.js';
import { readProperties, readRuntime, type VmProperties } from './properties.js';
import type { ManagedObjectReference } from './reference.js';
import { LOCAL_STORE } from './shapes.js';
import { VirtualMachineSnapshot } from './snapshot.js';
import { findSnapshot } from './snapshotRecords.js';
import type { VirtualMachineSnapshotInfo } from './snapshotTree.js';
import { Task, type TaskSubject } from './task.js';
import type {
  DiskChangeInfo,
  VirtualMachineCapability,
  VirtualMachineConfigInfo,
  VirtualMachineConfigSpec,
  VirtualMachineFileLayoutEx,
  VirtualMachineGuestQuiesceSpec,
  VirtualMachineRuntimeInfo,
} from './types.js';
import { type ServiceOptions, VmContext } from './vmContext.js';

/** There is no word for a power state that nobody knows. */
const UNREACHED: VirtualMachineRuntimeInfo = {
  connectionState: 'disconnected',
  powerState: 'poweredOff',
  consolidationNeeded: false,
};

type Work<T> = (signal: AbortSignal) => Promise<T>;

/**
 * A VM. Reading a property before `refresh` is `InvalidState`; finding a VM refreshes it.
 * @example
 * ```ts
 * const vm = await connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] }).findVm('web');
 * const snapshot = await vm?.CreateSnapshot_Task('nightly', '', false, false).wait();
 * await vm?.refresh();
 * for (const device of vm?.config.hardware.device ?? []) if (device instanceof VirtualDisk) console.log(device.backing.changeId);
 * await snapshot?.RemoveSnapshot_Task(false).wait();
 * ```
 */
export class VirtualMachine extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'VirtualMachine';
  /** @internal What the methods work on. */
  readonly context: VmContext;
  /** @internal Whether the service has it by now; what is gone answers nothing but its name and its reference. */
  isThere = true;
  #value: string | null = null;
  #properties: VmProperties<this> | null = null;

  /** @internal A service makes them. */
  constructor(host: HostVm, options: Pick<ServiceOptions, 'maxAreasPerCall'>) {
    super();
    this.context = new VmContext(host, options);
  }

  /** As its owner configured it. */
  get entry(): VmEntry {
    return this.context.entry;
  }

  /** Given to the VM once, and the same in every process and for ever: it stays when other VMs come and go. */
  get value(): string {
    return this.#known(this.#value);
  }

  /** As its owner configured it. */
  get name(): string {
    return this.context.name;
  }

  /** Name, UUID, tracking and disks; of a tracked disk with the changeId of its newest point in time. */
  get config(): VirtualMachineConfigInfo {
    return this.#read('config');
  }

  /** Always that tracking is supported; needs no {@link refresh}. */
  get capability(): VirtualMachineCapability {
    return { changeTrackingSupported: true };
  }

  /** Where its files are: the one datastore of this machine. */
  get datastore(): readonly ManagedObjectReference[] {
    return [LOCAL_STORE];
  }

  /** The files of its disks. */
  get layoutEx(): VirtualMachineFileLayoutEx {
    return this.#read('layoutEx');
  }

  /** Whether it runs, is suspended or off; needs no {@link refresh} of a VM that this version does not reach. */
  get runtime(): VirtualMachineRuntimeInfo {
    this.#requireThere();
    return this.context.host.served ? this.#read('runtime') : UNREACHED;
  }

  /** Undefined without snapshots, as in the API. */
  get snapshot(): VirtualMachineSnapshotInfo<this> | undefined {
    return this.#read('snapshot');
  }

  /**
   * Reads the properties anew from QEMU and from what is remembered. A VM that cannot be asked is `InvalidState`; one that this
   * version does not reach has its reference and `runtime`, and everything else of it is `NotSupported`.
   * @param options Signal and deadline.
   * @throws A fault: of a VM that cannot be asked.
   */
  async refresh(options?: CallOptions): Promise<this> {
    return inTime('refresh', options, async (own) => {
      await this.identify(own);
      if (this.context.host.served) this.#properties = await readProperties(this, this.context, own);
      return this;
    });
  }

  /** @internal `runtime` as it is now, and no other property; of many VMs this is much less work than {@link refresh}. */
  async readRuntime(): Promise<VirtualMachineRuntimeInfo> {
    return this.context.host.served ? readRuntime(this.context) : UNREACHED;
  }

  /** @internal Learns its reference alone; nothing is asked of the VM. */
  async identify(own: CallOptions = {}): Promise<this> {
    this.#requireThere();
    // Read each time: where its record was lost the VM has another number.
    this.#value = await this.context.host.id(own).then(idText, (thrown: unknown) => {
      throw toFault(thrown);
    });
    return this;
  }

  /** @internal Whether its reference was read. */
  get isIdentified(): boolean {
    return this.#value !== null;
  }

  /** @internal Whether this is its reference. Of one that was not read yet nobody knows it. */
  isKnownAs({ type, value }: ManagedObjectReference): boolean {
    return type === this.type && value === this.#value;
  }

  /**
   * A snapshot of this VM by its reference; ManagedObjectNotFound where it is gone.
   * @param reference The snapshot’s reference, or its value.
   * @param options Signal and deadline.
   * @throws A fault: ManagedObjectNotFound where it has none of that reference.
   */
  async findSnapshot(
    reference: ManagedObjectReference | string,
    options?: CallOptions,
  ): Promise<VirtualMachineSnapshot<this>> {
    return inTime('findSnapshot', options, async ({ signal }) => {
      this.#requireThere();
      const record = await untilAborted(this.context.records.read(), signal, 'reading the record');
      const found = findSnapshot(record, reference);
      const later = record.snapshots.slice(record.snapshots.indexOf(found) + 1);
      return new VirtualMachineSnapshot(this, found, later);
    });
  }

  /**
   * Switches change tracking of all disks on or off; `InvalidState` while there are snapshots.
   * @param spec What is changed.
   * @returns The task; its `wait()` throws the fault.
   */
  ReconfigVM_Task(spec: VirtualMachineConfigSpec): Task<void> {
    return this.#changing('VirtualMachine.ReconfigVM_Task', (signal) =>
      ReconfigVM_Task(this.context, signal, spec),
    );
  }

  /**
   * Takes a snapshot of all disks at one instant: the result. `memory` is refused with `NotSupported`.
   * @param name Its name.
   * @param description In words.
   * @param memory False: the memory of a VM is not kept.
   * @param quiesce Whether the guest’s file systems are frozen.
   * @returns The task; its `wait()` throws the fault.
   */
  CreateSnapshot_Task(
    name: string,
    description: string | undefined,
    memory: boolean,
    quiesce: boolean,
  ): Task<VirtualMachineSnapshot<this>> {
    return this.#taking('CreateSnapshot_Task', (signal) =>
      CreateSnapshot_Task(this.context, signal, name, description, memory, quiesce),
    );
  }

  /**
   * The same, with a time-out for freezing the guest.
   * @param name Its name.
   * @param description In words.
   * @param memory False: the memory of a VM is not kept.
   * @param quiesceSpec How the guest’s file systems are frozen; not at all unless given.
   * @returns The task; its `wait()` throws the fault.
   */
  CreateSnapshotEx_Task(
    name: string,
    description: string | undefined,
    memory: boolean,
    quiesceSpec?: VirtualMachineGuestQuiesceSpec,
  ): Task<VirtualMachineSnapshot<this>> {
    return this.#taking('CreateSnapshotEx_Task', (signal) =>
      CreateSnapshotEx_Task(this.context, signal, name, description, memory, quiesceSpec),
    );
  }

  /**
   * Removes every snapshot; their changeIds go on answering.
   * @param _consolidate Of no effect: there is nothing to consolidate.
   * @returns The task; its `wait()` throws the fault.
   */
  RemoveAllSnapshots_Task(_consolidate = true): Task<void> {
    return this.#changing('VirtualMachine.RemoveAllSnapshots_Task', (signal) =>
      RemoveAllSnapshots_Task(this.context, signal),
    );
  }

  /**
   * Nothing ever has to be consolidated here; succeeds at once.
   * @returns The task; its `wait()` throws the fault.
   */
  ConsolidateVMDisks_Task(): Task<void> {
    return this.#task('VirtualMachine.ConsolidateVMDisks_Task', ConsolidateVMDisks_Task);
  }

  /**
   * Always ends with `NotSupported`: see docs/coverage.md.
   * @param _host Of no effect.
   * @param _suppressPowerOn Of no effect.
   * @returns The task; its `wait()` throws the fault.
   */
  RevertToCurrentSnapshot_Task(
    _host?: ManagedObjectReference | null,
    _suppressPowerOn?: boolean,
  ): Task<void> {
    return this.#task('VirtualMachine.RevertToCurrentSnapshot_Task', RevertToCurrentSnapshot_Task);
  }

  /**
   * What changed on a disk from `changeId` (`*`: all that holds data) to the snapshot, or to now where the VM is off
   * and none is given; from `startOffset` (bytes) on. `FileFault` where a full backup is needed.
   * @param snapshot The snapshot up to which; its reference or the object.
   * @param deviceKey Key of the disk.
   * @param startOffset First byte asked about.
   * @param changeId Of an earlier snapshot’s disk, or `*` for what holds data.
   * @param options Signal and deadline.
   * @throws A fault: FileFault where it is not known what changed (take a full backup), InvalidArgument for what is not what it must be.
   */
  async QueryChangedDiskAreas(
    snapshot: ManagedObjectReference | null | undefined,
    deviceKey: number,
    startOffset: number,
    changeId: string,
    options?: CallOptions,
  ): Promise<DiskChangeInfo> {
    return inTime('QueryChangedDiskAreas', options, (own) => {
      this.#requireThere();
      return QueryChangedDiskAreas(this.context, snapshot, deviceKey, startOffset, changeId, own);
    });
  }

  /** @internal For its snapshots. */
  removeSnapshot(snapshot: ManagedObjectReference, removeChildren: boolean): Task<void> {
    return this.#changing('VirtualMachineSnapshot.RemoveSnapshot_Task', (signal) =>
      RemoveSnapshot_Task(this.context, signal, snapshot, removeChildren),
    );
  }

  /** @internal For its snapshots. */
  async renameSnapshot(
    snapshot: ManagedObjectReference,
    name: string | undefined,
    description: string | undefined,
    options: CallOptions | undefined,
  ): Promise<void> {
    await inTime('RenameSnapshot', options, async (own) => {
      this.#requireThere();
      const rename = (): Promise<void> => RenameSnapshot(this.context, snapshot, name, description);
      await this.context.inTurn('RenameSnapshot', rename, own.signal);
      await this.refresh(own);
    });
  }

  /** @internal For its snapshots. */
  revertToSnapshot(): Task<void> {
    return this.#task('VirtualMachineSnapshot.RevertToSnapshot_Task', RevertToSnapshot_Task);
  }

  /** One of the two that take a snapshot. */
  #taking(method: string, work: Work<string>): Task<VirtualMachineSnapshot<this>> {
    return this.#changing(`VirtualMachine.${method}`, async (signal) => {
      // Its reference has the VM's number, which is the record's.
      await this.identify();
      return this.findSnapshot(await work(signal));
    });
  }

  /** A task that changes the VM: in its turn, refused while the VM is held, and the properties read anew after it. */
  #changing<T>(method: string, work: Work<T>): Task<T> {
    const name = method.slice(method.indexOf('.') + 1);
    return new Task(this.#subject(method), (signal, progress) =>
      this.context.inTurn(name, async () => {
        const result = await work(signal);
        progress(90);
        await this.refresh();
        return result;
      }),
    );
  }

  /** A task that changes nothing. */
  #task<T>(method: string, work: () => Promise<T>): Task<T> {
    return new Task(this.#subject(method), work);
  }

  #subject(method: string): TaskSubject {
    this.#requireThere();
    // A VM that was not read yet has no reference to be told by.
    this.#known(this.#value);
    return { method, entity: this, entityName: this.name };
  }

  #read<P extends keyof VmProperties<this>>(property: P): VmProperties<this>[P] {
    this.#requireThere();
    if (!this.context.host.served) throw notReached(this.context.host);
    return this.#known(this.#properties)[property];
  }

  #requireThere(): void {
    if (!this.isThere) throw objectNotFound({ type: this.type, value: this.#value ?? this.name });
  }

  #known<T>(read: T | null): T {
    if (read !== null) return read;
    throw new InvalidState(`the properties of ${this.name} have not been read: call refresh() first`);
  }
}

/** By what name it is not reached. */
function notReached({ notServed }: HostVm): MethodFault {
  return toFault(notServed);
}
