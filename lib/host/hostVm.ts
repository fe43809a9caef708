/** A VM of this machine: as its owner configured it, and the way to it. */
import { LIBVIRT_PREFIX, parseDomainAddress } from '../backend/libvirt/domainName.js';
import { parseLibvirtUri } from '../backend/libvirt/libvirtUri.js';
import { inCallersTime } from '../core/callersTime.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import type { DiskName } from '../core/ids.js';
import { type Check, callback, checkCall, checkOptions, text } from '../core/options.js';
import { parseUuid } from '../core/pointInTime.js';
import { timeLeft } from '../core/timeLeft.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import { untilAborted } from '../core/untilAborted.js';
import type { CallOptions, QuiesceOptions, Vm } from '../core/vm.js';
import { notServed } from './diskName.js';
import { HoldStore } from './holdStore.js';
import { changing, Holds } from './holds.js';
import { defaultStateFolder } from './lockedRecord.js';
import { checkOpen, type OpenDiskOptions, ofVm } from './open.js';
import { reachVmOrImages } from './openVm.js';
import { RecordStore } from './recordStore.js';
import { type ConnectVmOptions, connectChecks } from './vm.js';
import { VmUnderHolds } from './vmUnderHolds.js';
import { wayTo } from './ways.js';

/** A VM as a host file, or a program, tells it. */
export interface VmEntry {
  /** What it is called; no other VM of the inventory has the name. */
  name: string;
  /** Its `-uuid`; asked from QEMU unless given. Where another VM answers on the socket, it is refused. */
  uuid?: string | undefined;
  /** QMP socket; this, or `libvirt`. */
  qmpSocket?: string | undefined;
  /** `<uri>#<domain>`. */
  libvirt?: string | undefined;
  /** Socket of the guest agent; file systems are frozen through it. */
  agentSocket?: string | undefined;
  /**
   * Path of the qcow2 image of each disk, by the name it has in `disks` of the running VM. With it the VM can be asked while it is
   * off: it is off when nobody listens on `qmpSocket`.
   */
  images?: Readonly<Record<string, string>> | undefined;
  /** Names of disks that take part; all that can be tracked unless given. */
  disks?: readonly DiskName[] | undefined;
  /** Folder for what the guest overwrites while a backup or snapshot exists. */
  scratchFolder?: string | undefined;
  /** Accept a scratch folder that may be too small for all that the guest can overwrite meanwhile. */
  allowUnwatchedScratch?: boolean | undefined;
  /** Socket of an NBD server that this QEMU runs already. */
  nbdSocket?: string | undefined;
  /**
   * How many points in time stay on each disk when a backup by the facades ends well, the older ones are forgotten, whoever took them; all of them
   * unless given. At least 2.
   */
  keepPoints?: number | undefined;
}

/** A VM's number as every surface writes it, and `--vm` takes it. */
export function idText(id: number): string {
  return `vm-${id}`;
}

/**
 * A VM of the inventory. Nothing is asked of it before it is connected to.
 * @example
 * ```ts
 * for (const vm of await new Inventory().vms()) console.log(vm.name, await vm.id());
 * ```
 */
export class HostVm {
  #entry: VmEntry;
  /** @internal What is remembered of it on this machine. */
  readonly records: RecordStore;
  /** Of a caller that keeps none of his own. */
  readonly #own = new Holds();
  /** With the key that they were made for: it may be reached by another way by now, by which others know it. */
  #holders: { key: string; store: HoldStore } | null = null;

  /**
   * `remembered`: by what it is remembered; its name unless given.
   * @param entry The VM, as a host file has it.
   * @param stateFolder Where its record is; the machine’s unless given.
   * @param remembered What its record goes by; its address unless given.
   */
  constructor(entry: VmEntry, stateFolder: string = defaultStateFolder(), remembered: string = entry.name) {
    this.#entry = entry;
    this.records = new RecordStore(stateFolder, remembered);
  }

  /** With the defaults of the host file; that of the last `Inventory.reload`. */
  get entry(): VmEntry {
    return this.#entry;
  }

  /** As its owner calls it. */
  get name(): string {
    return this.#entry.name;
  }

  /** @internal The host file says something else of it by now. Who is connected to it stays so. */
  become(entry: VmEntry): void {
    this.#entry = entry;
  }

  /**
   * Its number, drawn once: the same in every process, for every surface and for ever. `vm-<number>` finds it. That of a domain is
   * its UUID's, whatever it is called here; where its libvirt does not tell that when the number is first wanted, it is its name's.
   * @param options Signal and deadline.
   * @throws `CbtError` where its record cannot be read or written.
   */
  async id(options?: CallOptions): Promise<number> {
    return inCallersTime('id', options, ({ signal }) => untilAborted(this.#id(), signal, 'drawing it'));
  }

  async #id(): Promise<number> {
    const { folder, name } = this.records;
    if (this.entry.libvirt === undefined || !this.served) return this.records.id();
    return this.records.id(async () => {
      const domain = await this.identity().catch(codedOnly);
      return domain === null || domain === name ? null : new RecordStore(folder, domain).id();
    });
  }

  /** @internal By what everybody knows it who reaches it: the path of its socket without links, or `libvirt:<uri>#<UUID>`. */
  async identity(signal?: AbortSignal): Promise<string> {
    return await (await wayTo(this.address)).identity({ signal });
  }

  /** @internal Who holds it, and who is changing it. */
  async holders(signal?: AbortSignal): Promise<HoldStore> {
    const { folder } = this.records;
    const key = await this.identity(signal);
    if (this.#holders?.key !== key || this.#holders.store.name !== this.name)
      this.#holders = { key, store: new HoldStore(key, { folder, name: this.name }) };
    return this.#holders.store;
  }

  /** By what it is reached: the QMP socket, or `libvirt:<uri>#<domain>`. */
  get address(): string {
    if (!this.served) throw this.notServed;
    const { qmpSocket, libvirt } = this.entry;
    return libvirt === undefined ? (qmpSocket ?? '') : `${LIBVIRT_PREFIX}${libvirt}`;
  }

  /** Whether this version reaches it at all, running or off. */
  get served(): boolean {
    const { qmpSocket, libvirt } = this.entry;
    return libvirt === undefined ? qmpSocket !== undefined : isOfThisMachine(libvirt);
  }

  /** Whether it stands for VMs that nothing is known of, because who runs them does not answer. */
  get unknown(): boolean {
    return false;
  }

  /** How its guest's file systems are frozen; null where no way is known. */
  get quiesce(): Pick<QuiesceOptions, 'agentSocket'> | null {
    const { agentSocket, libvirt } = this.entry;
    if (agentSocket !== undefined) return { agentSocket };
    return libvirt === undefined ? null : {};
  }

  /** Why it does not. */
  get notServed(): CbtError {
    const { qmpSocket, libvirt } = this.entry;
    return libvirt === undefined
      ? invalidArgument('qmpSocket', qmpSocket, `the QMP socket of VM ${this.name}`)
      : notServed(`VM ${this.name}: libvirt ${libvirt}, which is on another machine,`);
  }

  /**
   * Runs a change of the VM, which nobody may begin to hold meanwhile; `BUSY` while somebody does. `task` is what he is told.
   * @param task What is done, in words.
   * @param work What is done.
   * @param options Signal and deadline.
   * @throws `CbtError`: the reason BUSY where somebody else changes or holds the VM; what `work` throws.
   */
  async changing<T>(task: string, work: () => Promise<T>, options?: CallOptions): Promise<T> {
    text(task, 'task');
    callback(work, 'work');
    return changing(await this.#whose('changing', options), task, work);
  }

  /**
   * Keeps the VM as it is until {@link letGo}: no process of this machine takes a point of it or switches tracking. `who` is told to
   * whoever is refused; with `client` it is held for that client of several. `BUSY` while another holds or changes it.
   * @param who Who holds the VM, in words of your own.
   * @param client The client whose holds these are.
   * @param options Signal and deadline.
   * @throws `CbtError`: BUSY where somebody else holds it.
   */
  async hold(who: string, client: Holds = this.#own, options?: CallOptions): Promise<void> {
    text(who, 'who');
    ofHolds(client, 'client');
    await client.hold(await this.#whose('hold', options), who);
  }

  /**
   * Ends {@link hold}; false where `who` does not hold it. What another client or process that still runs holds stays held.
   * @param who Who holds the VM, in words of your own.
   * @param client The client whose holds these are.
   * @param options Signal and deadline.
   * @returns Whether it was held.
   */
  async letGo(who: string, client: Holds = this.#own, options?: CallOptions): Promise<boolean> {
    text(who, 'who');
    ofHolds(client, 'client');
    return client.letGo(await this.#whose('letGo', options), who);
  }

  /** Who is asked may be a libvirt; what is done to the record then is short, and not cut in half. */
  async #whose(what: string, options: CallOptions | undefined): Promise<HoldStore> {
    return inCallersTime(what, options, ({ signal }) => this.holders(signal));
  }

  /**
   * The VM as it is now: running, or off where nobody listens and its images are known. A monitor that is silent is an error.
   * Changes are refused with `BUSY` while somebody holds the VM.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where it neither runs nor has images, or its monitor does not answer.
   */
  async connect(options: ConnectVmOptions = {}): Promise<Vm> {
    checkOptions('connect', options, connectChecks);
    const left = timeLeft(options);
    const vm = await this.reach(options);
    try {
      return new VmUnderHolds(vm, await this.#whose('connect', left()));
    } catch (error) {
      await vm.close();
      throw error;
    }
  }

  /**
   * The same for who sees to holders himself, by {@link changing}: nothing is refused.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where it cannot be reached.
   */
  async reach(options: ConnectVmOptions = {}): Promise<Vm> {
    checkOptions('reach', options, connectChecks);
    const { nbdSocket, scratchFolder: own, images, uuid } = this.entry;
    const left = timeLeft(options);
    const vm = await reachVmOrImages({
      ...options,
      address: this.address,
      images,
      // Never told from the bytes: a guest may write the header of an image into a raw disk.
      format: 'qcow2',
      name: this.name,
      uuid: parseUuid(uuid ?? '') ?? undefined,
      nbdSocket: options.nbdSocket ?? nbdSocket,
      scratchFolder: options.scratchFolder ?? own,
      // One that is given for this call is not where sessions before it were.
      scratchPlaces: [...(options.scratchPlaces ?? []), ...(own === undefined ? [] : [own])],
    });
    try {
      await this.#requireItself(vm, left());
      return vm;
    } catch (error) {
      await vm.close();
      throw error;
    }
  }

  /** A socket only leads to a VM: another one may answer there by now. */
  async #requireItself(vm: Vm, options: CallOptions): Promise<void> {
    const wanted = parseUuid(this.entry.uuid ?? '');
    if (wanted === null) return;
    const { uuid } = await vm.facts(options);
    if (uuid === null || uuid === wanted) return;
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `VM ${this.name} has the UUID ${wanted} in the host file, and the one at ${this.address} is ${uuid}: another VM answers there`,
      { details: { vm: this.name, expected: wanted, received: uuid } },
    );
  }

  /**
   * A disk for questions, of the VM as it is now.
   * @param disk Name of the disk.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` for a name that is no disk, or fits two.
   */
  async openDisk(disk: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
    checkOpen(disk, options);
    return ofVm(disk, options, (own) => this.connect(own));
  }

  /**
   * RFC 4122 text, lower case; from the configuration, else from QEMU, which must run. Null where neither says.
   * @param options Signal and deadline.
   * @throws `CbtError` where QEMU does not tell it.
   */
  async uuid(options: CallOptions = {}): Promise<string | null> {
    checkCall('uuid', options);
    throwIfAborted(options.signal);
    const configured = parseUuid(this.entry.uuid ?? '');
    if (configured !== null) return configured;
    const left = timeLeft(options);
    await using vm = await this.connect(options);
    const { uuid } = await vm.facts(left());
    if (vm.running || uuid !== null) return uuid;
    const message = `VM ${this.name} is off, and its configuration does not say which UUID it has`;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { details: { vm: this.name } });
  }
}

const ofHolds: Check = (value, name) => {
  if (!(value instanceof Holds)) throw invalidArgument(name, value, 'what a client holds');
};

/** For what can be gone on without. */
function codedOnly(thrown: unknown): null {
  if (thrown instanceof CbtError) return null;
  throw thrown;
}

/** One that is wrong is told so where it is used. */
function isOfThisMachine(libvirt: string): boolean {
  try {
    parseLibvirtUri(parseDomainAddress(`${LIBVIRT_PREFIX}${libvirt}`).uri);
    return true;
  } catch (error) {
    return !(error instanceof CbtError && error.code === 'ERR_CBT_UNSUPPORTED');
  }
}
