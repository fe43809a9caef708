/**
 * A VM as the vSphere API shows it. Properties are what {@link VirtualMachine.refresh} read last, plain data; methods act on QEMU as it
 * is now, each with a connection of its own, because a QMP monitor serves one client at a time.
 */
import { join } from 'node:path';
import { CbtError } from '../../core/errors.js';
import type { Vm } from '../../core/vm.js';
import { connectVm } from '../../host/vm.js';
import { toFault, VimFault } from './faults.js';
import { changing } from './hold.js';
import { layoutOf } from './layout.js';
import { ConsolidateVMDisks_Task } from './methods/ConsolidateVMDisks_Task.js';
import { CreateSnapshot_Task } from './methods/CreateSnapshot_Task.js';
import { CreateSnapshotEx_Task } from './methods/CreateSnapshotEx_Task.js';
import { QueryChangedDiskAreas } from './methods/QueryChangedDiskAreas.js';
import { ReconfigVM_Task } from './methods/ReconfigVM_Task.js';
import { RemoveAllSnapshots_Task } from './methods/RemoveAllSnapshots_Task.js';
import { RevertToCurrentSnapshot_Task } from './methods/RevertToCurrentSnapshot_Task.js';
import { type DiskFacts, type Images, readOffDisks } from './offDisks.js';
import { withRecordLock } from './recordLock.js';
import { ctkOptionOf, deviceOf, fileNameOf, hashOf, snapshotMoref, treeOf, uuidOf } from './shapes.js';
import { VirtualMachineSnapshot } from './snapshot.js';
import type { Task } from './task.js';
import type {
  DiskChangeInfo,
  ManagedObjectReference,
  VirtualMachineCapability,
  VirtualMachineConfigInfo,
  VirtualMachineConfigSpec,
  VirtualMachineFileLayoutEx,
  VirtualMachineGuestQuiesceSpec,
  VirtualMachineRuntimeInfo,
  VirtualMachineSnapshotInfo,
} from './types.js';
import { keyOf, readRecord, requireSameVm, type VmRecord, writeRecord } from './vmRecord.js';

/** A VM of the inventory, as its owner configures it. */
export interface VmEntry {
  name: string;
  /** QMP socket. */
  qmp: string;
  /** Asked from QEMU unless given. */
  uuid?: string | undefined;
  /** Socket of the guest agent, for quiesced snapshots. */
  agent?: string | undefined;
  /**
   * Path of the qcow2 image of each disk, by the name it has in `disks` of the running VM. With it the VM can be asked while it is off: it is
   * off when nobody listens on `qmp`.
   */
  images?: Images | undefined;
  /** Names of disks that take part; all that can be tracked unless given. */
  disks?: readonly string[] | undefined;
  /** Folder for what the guest overwrites while a snapshot exists. */
  scratch?: string | undefined;
  /** Accept a scratch folder that may be too small for all that the guest can overwrite while a snapshot exists. */
  allowUnwatchedScratch?: boolean | undefined;
  /** Socket of an NBD server that this QEMU runs already. */
  nbdSocket?: string | undefined;
}

/** How the service answers, and where it remembers. */
export interface ServiceOptions {
  /** Most areas in one answer of QueryChangedDiskAreas; all in one unless given. Real hosts answer 2000. */
  maxAreasPerCall?: number | undefined;
  /** Where names of snapshots are kept; /var/lib/qemu-cbt, or the user's own state folder, unless given. */
  stateFolder?: string | undefined;
}

const OFF = 'off';
const POWER: Readonly<Record<string, VirtualMachineRuntimeInfo['powerState']>> = {
  suspended: 'suspended',
  [OFF]: 'poweredOff',
};

/** Whether nobody listens on the socket. A monitor that is busy or silent is not gone. */
function isGone(thrown: unknown): boolean {
  return (
    thrown instanceof CbtError &&
    thrown.code === 'ERR_CBT_BACKEND_UNAVAILABLE' &&
    ['ENOENT', 'ECONNREFUSED'].includes(String(thrown.details['errno']))
  );
}

/** A VM. Reading a property before `refresh` is `InvalidState`; finding a VM refreshes it. */
export class VirtualMachine {
  readonly moref: ManagedObjectReference;
  #config: VirtualMachineConfigInfo | null = null;
  #layoutEx: VirtualMachineFileLayoutEx | null = null;
  #runtime: VirtualMachineRuntimeInfo | null = null;
  #snapshot: VirtualMachineSnapshotInfo | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  /** @internal A service makes them. */
  constructor(
    readonly entry: VmEntry,
    readonly options: ServiceOptions & { stateFolder: string },
    number: number,
  ) {
    this.moref = { type: 'VirtualMachine', value: `vm-${number}` };
  }

  /** As its owner configured it. */
  get name(): string {
    return this.entry.name;
  }

  /** Name, UUID, tracking and disks; of a tracked disk with the changeId of its newest point in time. */
  get config(): VirtualMachineConfigInfo {
    return this.#read(this.#config);
  }

  /** Always that tracking is supported; needs no {@link refresh}. */
  get capability(): VirtualMachineCapability {
    return { changeTrackingSupported: true };
  }

  /** The files of its disks. */
  get layoutEx(): VirtualMachineFileLayoutEx {
    return this.#read(this.#layoutEx);
  }

  /** Whether it runs, is suspended or off. */
  get runtime(): VirtualMachineRuntimeInfo {
    return this.#read(this.#runtime);
  }

  /** Undefined without snapshots, as in the API. */
  get snapshot(): VirtualMachineSnapshotInfo | undefined {
    this.#read(this.#config);
    return this.#snapshot ?? undefined;
  }

  /** Reads the properties anew from QEMU and from what is remembered. A VM that cannot be asked is `InvalidState`. */
  async refresh(): Promise<this> {
    try {
      await this.#readAll();
    } catch (thrown) {
      throw toFault(thrown);
    }
    return this;
  }

  async #readAll(): Promise<void> {
    const { facts, found } = await this.onOrOff<{
      facts: { uuid: string | null; status: string | null };
      found: DiskFacts[];
    }>(
      async (vm) => ({ facts: await vm.facts(), found: await this.#readDisks(vm) }),
      async (images) => ({ facts: { uuid: null, status: OFF }, found: await readOffDisks(images) }),
    );
    const record = await this.updateRecord((known) => {
      requireSameVm(this.name, known, facts.uuid);
      if (facts.uuid !== null) known.uuid = facts.uuid;
      for (const { disk } of found) keyOf(known, disk);
    });
    const tracked = record.trackingEnabled ?? found.some(({ epoch }) => epoch !== null);
    const uuid = this.entry.uuid ?? facts.uuid ?? record.uuid ?? uuidOf(this.entry.qmp);
    this.#config = {
      name: this.name,
      uuid,
      instanceUuid: uuid,
      template: false,
      version: 'vmx-13',
      changeTrackingEnabled: tracked,
      extraConfig: [
        { key: 'ctkEnabled', value: String(tracked) },
        ...found.map(({ disk, epoch }) => ({
          key: ctkOptionOf(keyOf(record, disk)),
          value: String(tracked && epoch !== null),
        })),
      ],
      hardware: {
        device: found.map(({ newest, parents, ...disk }) =>
          deviceOf({
            ...disk,
            parents: [...parents],
            key: keyOf(record, disk.disk),
            ...(tracked && newest !== undefined && { changeId: newest.changeId }),
          }),
        ),
      },
    };
    this.#runtime = {
      powerState: POWER[facts.status ?? ''] ?? 'poweredOn',
      consolidationNeeded: false,
    };
    this.#layoutEx = await layoutOf(found.map((disk) => ({ ...disk, key: keyOf(record, disk.disk) })));
    this.#snapshot = treeOf(this.moref, record.snapshots);
  }

  async #readDisks(vm: Vm): Promise<DiskFacts[]> {
    const found: DiskFacts[] = [];
    for (const { disk, filename, sizeBytes, backing = [] } of await this.disksOf(vm)) {
      await using opened = await vm.openDisk(disk);
      const { pits, epoch } = await opened.pits();
      found.push({
        disk,
        fileName: fileNameOf(filename ?? disk),
        path: filename,
        parents: backing,
        capacityInBytes: sizeBytes ?? 0,
        epoch,
        newest: pits.at(-1),
      });
    }
    return found;
  }

  /** A snapshot of this VM by its reference; ManagedObjectNotFound where it is gone. */
  async findSnapshot(reference: ManagedObjectReference | string): Promise<VirtualMachineSnapshot> {
    const value = typeof reference === 'string' ? reference : reference.value;
    const found = (await this.record()).snapshots.find(({ id }) => snapshotMoref(id).value === value);
    if (found !== undefined) return new VirtualMachineSnapshot(this, found);
    const what = `The object '${value}' has already been deleted or has not been completely created`;
    throw new VimFault('ManagedObjectNotFound', what, { obj: value });
  }

  /** Switches change tracking of all disks on or off; `InvalidState` while there are snapshots. */
  ReconfigVM_Task(spec: VirtualMachineConfigSpec): Task<void> {
    return ReconfigVM_Task(this, spec);
  }

  /** Takes a snapshot of all disks at one instant; its reference. `memory` is refused with `NotSupported`. */
  CreateSnapshot_Task(
    name: string,
    description: string | undefined,
    memory: boolean,
    quiesce: boolean,
  ): Task<ManagedObjectReference> {
    return CreateSnapshot_Task(this, name, description, memory, quiesce);
  }

  /** The same, with a time-out for freezing the guest. */
  CreateSnapshotEx_Task(
    name: string,
    description: string | undefined,
    memory: boolean,
    quiesceSpec?: VirtualMachineGuestQuiesceSpec,
  ): Task<ManagedObjectReference> {
    return CreateSnapshotEx_Task(this, name, description, memory, quiesceSpec);
  }

  /** Removes every snapshot; their changeIds go on answering. */
  RemoveAllSnapshots_Task(consolidate?: boolean): Task<void> {
    return RemoveAllSnapshots_Task(this, consolidate);
  }

  /** Nothing ever has to be consolidated here; succeeds at once. */
  ConsolidateVMDisks_Task(): Task<void> {
    return ConsolidateVMDisks_Task(this);
  }

  /** Always ends with `NotSupported`: see docs/coverage.md. */
  RevertToCurrentSnapshot_Task(): Task<void> {
    return RevertToCurrentSnapshot_Task(this);
  }

  /**
   * What changed on a disk from `changeId` (`*`: all that holds data) to the snapshot, or to now where the VM is off
   * and none is given; from `startOffset` (bytes) on. `FileFault` where a full backup is needed.
   */
  QueryChangedDiskAreas(
    snapshot: ManagedObjectReference | null | undefined,
    deviceKey: number,
    startOffset: number,
    changeId: string,
  ): Promise<DiskChangeInfo> {
    return QueryChangedDiskAreas(this, snapshot, deviceKey, startOffset, changeId);
  }

  /** @internal Runs with a connection to QEMU that ends afterwards. */
  async withVm<T>(work: (vm: Vm) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { qmp, nbdSocket } = this.entry;
    await using vm = await connectVm(qmp, { nbdSocket, signal });
    return await work(vm);
  }

  /** @internal As {@link withVm}; of a VM that is off and whose images are known, the other. */
  async onOrOff<T>(
    on: (vm: Vm) => Promise<T>,
    off: (images: Images) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { qmp, nbdSocket, images } = this.entry;
    let connected: Vm;
    try {
      connected = await connectVm(qmp, { nbdSocket, signal });
    } catch (thrown) {
      if (images === undefined || !isGone(thrown)) throw thrown;
      return off(this.#imagesOf(images));
    }
    await using vm = connected;
    return await on(vm);
  }

  /** The images that take part. */
  #imagesOf(images: Images): Images {
    const { disks } = this.entry;
    if (disks === undefined) return images;
    const missing = disks.find((disk) => !Object.hasOwn(images, disk));
    if (missing === undefined) return Object.fromEntries(disks.map((disk) => [disk, images[disk] ?? '']));
    const known = Object.keys(images).join(', ');
    throw new VimFault(
      'InvalidState',
      `${this.name} is off, and its configuration names no image of disk ${missing}; it names those of ${known}`,
    );
  }

  /** @internal The VM's disks that take part. */
  async disksOf(vm: Vm) {
    const found = await vm.disks({ disks: this.entry.disks });
    return found.filter(({ trackable }) => trackable);
  }

  /** @internal What is remembered of the VM. */
  record(): Promise<VmRecord> {
    return readRecord(this.recordFile);
  }

  /** @internal Changes the record, alone on this machine; the record as it is then. Nothing is written when nothing changed. */
  async updateRecord(change: (record: VmRecord) => void): Promise<VmRecord> {
    const file = this.recordFile;
    return withRecordLock(file, async () => {
      const record = await readRecord(file);
      const before = JSON.stringify(record);
      change(record);
      if (JSON.stringify(record) !== before) await writeRecord(this.options.stateFolder, file, record);
      return record;
    });
  }

  /** @internal Changes of one VM follow each other, and wait for nobody who holds it: they are refused. */
  inTurn<T>(task: string, work: () => Promise<T>): Promise<T> {
    const allowed = (): Promise<T> => changing(this, task, work);
    const turn = this.#turn.then(allowed, allowed);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** @internal Where it is remembered; its locks are beside it. */
  get recordFile(): string {
    const plain = this.name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
    return join(this.options.stateFolder, `${plain}-${hashOf(this.name).slice(0, 8)}.json`);
  }

  #read<T>(value: T | null): T {
    if (value !== null) return value;
    throw new VimFault(
      'InvalidState',
      `the properties of ${this.name} have not been read: call refresh() first`,
    );
  }
}
