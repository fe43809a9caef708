/** A VM as the methods see it: as its owner configured it, what is remembered of it, and a connection to it while it is needed. */
import type { Vm } from '../../core/vm.js';
import { HoldStore, monitorKey } from '../../host/holdStore.js';
import { changing, Holds } from '../../host/holds.js';
import { reachVmOrImages } from '../../host/openVm.js';
import { RecordStore } from '../../host/recordStore.js';
import { toFault, VimFault } from './faults.js';

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
  images?: Readonly<Record<string, string>> | undefined;
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
  /** Where records of VMs are kept; QEMU_CBT_STATE, else /var/lib/qemu-cbt or the user's own state folder, unless given. */
  stateFolder?: string | undefined;
}

/** What methods work on. Each has a connection of its own, because a QMP monitor serves one client at a time. */
export class VmContext {
  readonly records: RecordStore;
  /** Who holds it. */
  readonly holders: HoldStore;
  /** Of a caller that keeps none of his own. */
  readonly holds = new Holds();
  readonly maxAreasPerCall: number | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    readonly entry: VmEntry,
    { stateFolder, maxAreasPerCall }: ServiceOptions & { stateFolder: string },
  ) {
    this.records = new RecordStore(stateFolder, entry.name);
    this.holders = new HoldStore(monitorKey(entry.qmp), { folder: stateFolder, name: entry.name });
    this.maxAreasPerCall = maxAreasPerCall;
  }

  /** As its owner configured it. */
  get name(): string {
    return this.entry.name;
  }

  /** Runs with the VM as it is now, running or off; the connection ends afterwards. */
  async withVm<T>(work: (vm: Vm) => Promise<T>, signal?: AbortSignal): Promise<T> {
    await using vm = await this.open(signal);
    return await work(vm);
  }

  /** The VM as it is now, for whoever closes it. */
  async open(signal?: AbortSignal): Promise<Vm> {
    const { qmp, nbdSocket, images, name } = this.entry;
    // The format is given and never told from the file's bytes: a guest may write the header of an image into a raw disk.
    const vm = await reachVmOrImages({ qmp, nbdSocket, images, format: 'qcow2', name, signal }).catch(
      (thrown: unknown) => {
        throw toFault(thrown);
      },
    );
    if (!vm.running) this.#requireImages();
    return vm;
  }

  /** The VM's disks that take part. */
  async disksOf(vm: Vm) {
    const found = await vm.disks({ disks: this.entry.disks });
    return found.filter(({ trackable }) => trackable);
  }

  /** Changes of one VM follow each other, and wait for nobody who holds it: they are refused. */
  inTurn<T>(task: string, work: () => Promise<T>): Promise<T> {
    const allowed = (): Promise<T> => changing(this.holders, task, work);
    const turn = this.#turn.then(allowed, allowed);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Throws where a disk that takes part has no image that is known. */
  #requireImages(): void {
    const { disks = [], images = {} } = this.entry;
    const missing = disks.find((disk) => !Object.hasOwn(images, disk));
    if (missing === undefined) return;
    const known = Object.keys(images).join(', ');
    throw new VimFault(
      'InvalidState',
      `${this.name} is off, and its configuration names no image of disk ${missing}; it names those of ${known}`,
    );
  }
}
