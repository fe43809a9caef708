/** The service: what a client logs in to, with the VMs of this machine below a root folder, as the inventory of one host. */
import { type Checks, checkOptions, integer, required, text } from '../../core/options.js';
import { HOST_VARIABLE } from '../../host/hostFile.js';
import type { VmEntry } from '../../host/hostVm.js';
import { Inventory } from '../../host/inventory.js';
import { vmEntries } from '../../host/vmEntryChecks.js';
import { invalidArgument, toFault } from './faults.js';
import { type Datacenter, type Folder, rootOf } from './folders.js';
import { ManagedObject } from './managedObject.js';
import { SearchIndex } from './searchIndex.js';
import { VirtualMachine } from './virtualMachine.js';
import type { ServiceOptions } from './vmContext.js';

/** What the service says it is. Its version is one that clients of changed-block tracking accept; it is no claim about ESXi. */
export interface AboutInfo {
  name: string;
  fullName: string;
  vendor: string;
  version: string;
  build: string;
  osType: string;
  productLineId: string;
  apiType: 'HostAgent';
  apiVersion: string;
}

/** Where everything starts from. */
export interface ServiceContent {
  rootFolder: Folder<Datacenter>;
  about: AboutInfo;
  searchIndex: SearchIndex;
}

/** The VMs of the inventory; two of one name are refused. */
export interface ConnectOptions extends ServiceOptions {
  vms: readonly VmEntry[];
}

/** The VMs of a host file. */
export interface ConnectHostOptions extends ServiceOptions {
  /** The host file; that of QEMU_CBT_HOST, else /etc/qemu-cbt/host.yaml, unless given. */
  file?: string | undefined;
}

const SERVICE: Checks<ServiceOptions> = { maxAreasPerCall: integer(1), stateFolder: text };
const CONNECT: Checks<ConnectOptions> = { ...SERVICE, vms: required(vmEntries) };
const CONNECT_HOST: Checks<ConnectHostOptions> = { ...SERVICE, file: text };

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

/** The service: an inventory of one host. It holds no connection; each call makes its own. */
export class ServiceInstance extends ManagedObject {
  readonly type = 'ServiceInstance';
  readonly value = 'ServiceInstance';
  readonly content: ServiceContent;
  readonly #inventory: Inventory;
  readonly #vms: readonly VirtualMachine[];

  /** InvalidArgument, with the option in `invalidProperty`: anything that is not what its option must be, or two VMs of one name. */
  constructor(options: ConnectOptions) {
    super();
    checked('connect', options, CONNECT);
    const { vms, stateFolder, maxAreasPerCall } = options;
    this.#inventory = new Inventory({ vms, stateFolder });
    this.#vms = this.#inventory.passed.map((host) => new VirtualMachine(host, { maxAreasPerCall }));
    const rootFolder = rootOf(this.#vms);
    this.content = { rootFolder, about: ABOUT, searchIndex: new SearchIndex(rootFolder) };
  }

  /** The content of the service, as over the wire. */
  RetrieveContent(): ServiceContent {
    return this.content;
  }

  /** The host's clock, ISO 8601. */
  CurrentTime(): string {
    return new Date().toISOString();
  }

  /**
   * A VM by its name, else its reference, its inventory path or its UUID, with its properties read; null where there is none.
   * Whoever knows what kind of name he has asks for that: one VM may be called as another's reference.
   */
  async findVm(search: string): Promise<VirtualMachine | null> {
    const found = this.#vms.find(({ name }) => name === search) ?? (await this.#byMoref(search));
    if (found !== undefined) return found.refresh();
    const { searchIndex } = this.content;
    const byPath = await searchIndex.FindByInventoryPath(search);
    return byPath?.type === 'VirtualMachine' ? byPath : searchIndex.FindByUuid(null, search, true);
  }

  /** A VM by the value of its reference alone. */
  async findByMoref(value: string): Promise<VirtualMachine | null> {
    return (await (await this.#byMoref(value))?.refresh()) ?? null;
  }

  async #byMoref(value: string): Promise<VirtualMachine | undefined> {
    const found = await this.#inventory.numbered(value).catch((thrown: unknown) => {
      throw toFault(thrown);
    });
    return this.#vms.find(({ context }) => context.host === found);
  }
}

function checked<Options>(what: string, options: unknown, checks: Checks<Options>): void {
  try {
    checkOptions(what, options, checks);
  } catch (thrown) {
    throw toFault(thrown);
  }
}

/** The service over these VMs; nothing is asked of them before they are looked for. */
export function connect(options: ConnectOptions): ServiceInstance {
  return new ServiceInstance(options);
}

/** The same over the VMs of a host file. InvalidArgument where there is none, or it is wrong; InvalidState where it cannot be read. */
export async function connectHost(options: ConnectHostOptions = {}): Promise<ServiceInstance> {
  checked('connectHost', options, CONNECT_HOST);
  const { file, ...service } = options;
  const inventory = new Inventory({ file });
  try {
    const vms = (await inventory.vms()).map(({ entry }) => entry);
    if ((await inventory.file()) !== null) return new ServiceInstance({ ...service, vms });
  } catch (thrown) {
    throw toFault(thrown);
  }
  throw invalidArgument('file', `there is no host file: give one, or name it by ${HOST_VARIABLE}`);
}
