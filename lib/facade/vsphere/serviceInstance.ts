/** The service: what a client logs in to, with the VMs of this machine below a root folder, as the inventory of one host. */
import type { CallOptions } from '../../core/callOptions.js';
import {
  abortSignal,
  type Checks,
  checkOptions,
  integer,
  milliseconds,
  required,
  text,
} from '../../core/options.js';
import { HOST_VARIABLE } from '../../host/hostFile.js';
import type { HostVm, VmEntry } from '../../host/hostVm.js';
import { Inventory } from '../../host/inventory.js';
import { vmEntries } from '../../host/vmEntryChecks.js';
import { invalidArgument, toFault } from './faults.js';
import { type Datacenter, type Folder, rootOf } from './folders.js';
import { inTime } from './inTime.js';
import { ManagedObject } from './managedObject.js';
import { SearchIndex } from './searchIndex.js';
import { VirtualMachine } from './virtualMachine.js';
import type { ServiceOptions } from './vmContext.js';

/** What the service says it is. Its version is one that clients of changed-block tracking accept; it is no claim about ESXi. */
export interface AboutInfo {
  /** Name of the product. */
  name: string;
  /** Its name in words. */
  fullName: string;
  /** Who makes it. */
  vendor: string;
  /** Version of the API that is spoken. */
  version: string;
  /** Always 0. */
  build: string;
  /** What it runs on. */
  osType: string;
  /** The line that clients tell hosts by. */
  productLineId: string;
  /** A host, no vCenter. */
  apiType: 'HostAgent';
  /** Version of the API that is spoken. */
  apiVersion: string;
}

/** Where everything starts from. */
export interface ServiceContent {
  /** The folder of datacenters. */
  rootFolder: Folder<Datacenter>;
  /** What the service says it is. */
  about: AboutInfo;
  /** What finds VMs. */
  searchIndex: SearchIndex;
}

/** The VMs of the inventory; two of one name are refused. */
export interface ConnectOptions extends ServiceOptions {
  /** The VMs, each as a host file has it. */
  vms: readonly VmEntry[];
}

/** The VMs of a host file. */
export interface ConnectHostOptions extends ServiceOptions, CallOptions {
  /** The host file; that of QEMU_CBT_HOST, else /etc/qemu-cbt/host.yaml, unless given. */
  file?: string | undefined;
}

const SERVICE: Checks<ServiceOptions> = { maxAreasPerCall: integer(1), stateFolder: text };
const CONNECT: Checks<ConnectOptions> = { ...SERVICE, vms: required(vmEntries) };
const CONNECT_HOST: Checks<ConnectHostOptions> = {
  ...SERVICE,
  file: text,
  signal: abortSignal,
  timeoutMs: milliseconds,
};

const ABOUT: AboutInfo = {
  name: 'qemu-cbt',
  fullName: 'qemu-cbt, changed-block tracking for QEMU',
  vendor: 'qemu-cbt',
  version: '6.7.1',
  build: '0',
  osType: 'linux-x64',
  productLineId: 'embeddedEsx',
  apiType: 'HostAgent',
  apiVersion: '6.7.1',
};

/**
 * The service: an inventory of one host. It holds no connection; each call makes its own.
 * @example
 * ```ts
 * const service = connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] });
 * const vm = await service.findVm('web');
 * ```
 */
export class ServiceInstance extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'ServiceInstance';
  /** Value of its reference. */
  readonly value = 'ServiceInstance';
  /** Where everything starts from. */
  readonly content: ServiceContent;
  readonly #inventory: Inventory;
  readonly #options: VmOptions;
  /** A VM is one object for as long as it is there. */
  readonly #objects = new WeakMap<HostVm, VirtualMachine>();
  #shown: readonly VirtualMachine[] = [];

  /** @internal `connect` and `connectHost` make them; `vms`: those that the inventory has now. */
  constructor(inventory: Inventory, vms: readonly HostVm[], options: VmOptions) {
    super();
    this.#inventory = inventory;
    this.#options = options;
    this.#show(vms);
    const rootFolder = rootOf(() => this.#shown);
    this.content = {
      rootFolder,
      about: ABOUT,
      searchIndex: new SearchIndex(rootFolder, (own) => this.vms(own)),
    };
  }

  /**
   * The content of the service, as over the wire.
   * @returns The content.
   */
  RetrieveContent(): ServiceContent {
    return this.content;
  }

  /**
   * The host's clock, ISO 8601.
   * @returns The time.
   */
  CurrentTime(): string {
    return new Date().toISOString();
  }

  /**
   * Reads the host file again: new VMs are in the folder then, VMs that stay are the same objects by the same references, and those that are gone
   * answer `ManagedObjectNotFound`. InvalidArgument for a file with an error: everything stays as it was. VMs that a program passed stay.
   * @param options Signal and deadline.
   * @throws A fault: InvalidArgument for a file with an error.
   */
  async reload(options?: CallOptions): Promise<void> {
    await inTime('reload', options, async (own) => {
      await this.#inventory.reload(own);
      await this.vms(own);
    });
  }

  /** @internal The VMs that there are now: domains of libvirts are asked for anew, and the folder shows the same. */
  async vms(own: CallOptions = {}): Promise<readonly VirtualMachine[]> {
    this.#show(await faulting(this.#inventory.vms(own)));
    return this.#shown;
  }

  /**
   * A VM by its name, else its reference, its inventory path or its UUID, with its properties read; null where there is none.
   * Whoever knows what kind of name he has asks for that: one VM may be called as another's reference.
   * @param search Name, reference, inventory path or UUID.
   * @param options Signal and deadline.
   * @throws A fault: InvalidArgument for a UUID that two VMs have.
   */
  async findVm(search: string, options?: CallOptions): Promise<VirtualMachine | null> {
    return inTime('findVm', options, async (own) => {
      const vms = await this.vms(own);
      const found = vms.find(({ name }) => name === search) ?? (await this.#byMoref(search, vms, own));
      if (found !== undefined) return found.refresh(own);
      const { searchIndex } = this.content;
      const byPath = await searchIndex.FindByInventoryPath(search, own);
      if (byPath?.type === 'VirtualMachine') return byPath;
      return searchIndex.FindByUuid(null, search, true, undefined, own);
    });
  }

  /**
   * A VM by the value of its reference alone.
   * @param value Value of a reference.
   * @param options Signal and deadline.
   * @throws A fault: of a VM that is found and cannot be asked.
   */
  async findByMoref(value: string, options?: CallOptions): Promise<VirtualMachine | null> {
    return inTime('findByMoref', options, async (own) => {
      const found = await this.#byMoref(value, await this.vms(own), own);
      return (await found?.refresh(own)) ?? null;
    });
  }

  async #byMoref(
    value: string,
    vms: readonly VirtualMachine[],
    own: CallOptions,
  ): Promise<VirtualMachine | undefined> {
    const hosts = vms.map(({ context }) => context.host);
    const found = await faulting(this.#inventory.numbered(value, hosts, own));
    return vms.find(({ context }) => context.host === found);
  }

  #show(hosts: readonly HostVm[]): void {
    const before = this.#shown;
    this.#shown = hosts.map((host) => this.#objects.get(host) ?? new VirtualMachine(host, this.#options));
    for (const vm of before) vm.isThere = false;
    for (const vm of this.#shown) {
      vm.isThere = true;
      this.#objects.set(vm.context.host, vm);
    }
  }
}

type VmOptions = Pick<ServiceOptions, 'maxAreasPerCall'>;

async function faulting<T>(work: Promise<T>): Promise<T> {
  return work.catch((thrown: unknown) => {
    throw toFault(thrown);
  });
}

function checked<Options>(what: string, options: unknown, checks: Checks<Options>): void {
  try {
    checkOptions(what, options, checks);
  } catch (thrown) {
    throw toFault(thrown);
  }
}

/**
 * The service over these VMs; nothing is asked of them before they are looked for. InvalidArgument, with the option in `invalidProperty`:
 * anything that is not what its option must be, or two VMs of one name.
 * @param options The VMs.
 * @throws A fault: InvalidArgument for an option that is not what it must be.
 * @example
 * ```ts
 * const service = connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] });
 * ```
 */
export function connect(options: ConnectOptions): ServiceInstance {
  checked('connect', options, CONNECT);
  const { vms, stateFolder, maxAreasPerCall } = options;
  const inventory = new Inventory({ vms, stateFolder });
  return new ServiceInstance(inventory, inventory.passed, { maxAreasPerCall });
}

/**
 * The same over the VMs of a host file. InvalidArgument where there is none, or it is wrong; InvalidState where it cannot be read.
 * @param options The host file.
 * @throws A fault: InvalidArgument where there is none, or it is wrong; InvalidState where it cannot be read.
 * @example
 * ```ts
 * const service = await connectHost({ file: '/etc/qemu-cbt/host.yaml' });
 * ```
 */
export async function connectHost(options: ConnectHostOptions = {}): Promise<ServiceInstance> {
  checked('connectHost', options, CONNECT_HOST);
  const { file, stateFolder, maxAreasPerCall, signal, timeoutMs } = options;
  return inTime('connectHost', { signal, timeoutMs }, (own) =>
    serviceOf(new Inventory({ file, stateFolder }), { maxAreasPerCall }, own),
  );
}

/** @internal The same over an inventory, which has a host file. */
export async function serviceOf(
  inventory: Inventory,
  options: VmOptions = {},
  own: CallOptions = {},
): Promise<ServiceInstance> {
  const vms = await faulting(inventory.vms(own));
  if ((await faulting(inventory.file(own))) !== null) return new ServiceInstance(inventory, vms, options);
  throw invalidArgument('file', `there is no host file: give one, or name it by ${HOST_VARIABLE}`);
}
