/** The service: what a client logs in to, with the VMs of this machine below a root folder, as the inventory of one host. */
import { type Checks, checkOptions, integer, required, text } from '../../core/options.js';
import { HOST_VARIABLE } from '../../host/hostFile.js';
import type { VmEntry } from '../../host/hostVm.js';
import { Inventory } from '../../host/inventory.js';
import { vmEntries } from '../../host/vmEntryChecks.js';
import { invalidArgument, toFault } from './faults.js';
import type { ManagedObjectReference } from './types.js';
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

/** The folder of all VMs. */
export interface Folder {
  moref: ManagedObjectReference;
  name: string;
  childEntity: readonly VirtualMachine[];
}

/** The one data centre of a host. */
export interface Datacenter {
  moref: ManagedObjectReference;
  name: string;
  vmFolder: Folder;
}

/** Finding a VM; null where there is none. A VM that cannot be asked is a fault when found by path, and passed over by UUID. */
export interface SearchIndex {
  /** By `config.uuid`, in any case; `datacenter` is not looked at, and anything but VMs is not found. */
  FindByUuid(datacenter: unknown, uuid: string, vmSearch: boolean): Promise<VirtualMachine | null>;
  /** By `ha-datacenter/vm/<name>`. */
  FindByInventoryPath(path: string): Promise<VirtualMachine | null>;
}

/** Where everything starts from. */
export interface ServiceContent {
  about: AboutInfo;
  rootFolder: { moref: ManagedObjectReference; name: string; childEntity: readonly Datacenter[] };
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
const DATACENTER = 'ha-datacenter';

/** The service: an inventory of one host. It holds no connection; each call makes its own. */
export class ServiceInstance {
  readonly content: ServiceContent;
  readonly #inventory: Inventory;
  readonly #vms: readonly VirtualMachine[];

  /** InvalidArgument, with the option in `invalidProperty`: anything that is not what its option must be, or two VMs of one name. */
  constructor(options: ConnectOptions) {
    checked('connect', options, CONNECT);
    const { vms, stateFolder, maxAreasPerCall } = options;
    this.#inventory = new Inventory({ vms, stateFolder });
    this.#vms = this.#inventory.passed.map((host) => new VirtualMachine(host, { maxAreasPerCall }));
    const vmFolder: Folder = {
      moref: { type: 'Folder', value: 'ha-folder-vm' },
      name: 'vm',
      childEntity: this.#vms,
    };
    this.content = {
      about: ABOUT,
      rootFolder: {
        moref: { type: 'Folder', value: 'ha-folder-root' },
        name: 'ha-folder-root',
        childEntity: [{ moref: { type: 'Datacenter', value: DATACENTER }, name: DATACENTER, vmFolder }],
      },
      searchIndex: {
        FindByUuid: (_datacenter, uuid) => this.findByUuid(uuid),
        FindByInventoryPath: async (path) => (await this.#byPath(path)?.refresh()) ?? null,
      },
    };
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
    const found =
      this.#vms.find(({ name }) => name === search) ?? (await this.#byMoref(search)) ?? this.#byPath(search);
    return found === undefined ? this.findByUuid(search) : found.refresh();
  }

  /** A VM by the value of its reference alone. */
  async findByMoref(value: string): Promise<VirtualMachine | null> {
    return (await (await this.#byMoref(value))?.refresh()) ?? null;
  }

  /** VMs that cannot be asked are passed over: they may be off. InvalidArgument where two have it, as a copy of a VM has. */
  async findByUuid(uuid: string): Promise<VirtualMachine | null> {
    const wanted = uuid.toLowerCase();
    const found: VirtualMachine[] = [];
    for (const vm of this.#vms) {
      if ((await uuidOf(vm))?.toLowerCase() === wanted) found.push(vm);
    }
    const [first] = found;
    if (first === undefined || found.length === 1) return first ?? null;
    const names = found.map(({ name }) => name).join(', ');
    throw invalidArgument('uuid', `${uuid} is the UUID of ${found.length} VMs: ${names}`);
  }

  async #byMoref(value: string): Promise<VirtualMachine | undefined> {
    const found = await this.#inventory.numbered(value).catch((thrown: unknown) => {
      throw toFault(thrown);
    });
    return this.#vms.find(({ context }) => context.host === found);
  }

  #byPath(path: string): VirtualMachine | undefined {
    return this.#vms.find(({ name }) => path.replace(/^\//, '') === `${DATACENTER}/vm/${name}`);
  }
}

/** The UUID of a VM with its properties read anew; null where it cannot be asked. */
async function uuidOf(vm: VirtualMachine): Promise<string | null> {
  if (!vm.context.host.served) return vm.entry.uuid ?? null;
  return vm.refresh().then(
    ({ config }) => config.uuid,
    () => null,
  );
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
