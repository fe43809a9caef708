/** Every object that a session can name: the places of a host, its VMs and their snapshots. */
import type {
  ManagedObjectReference,
  ServiceInstance,
  VirtualMachine,
} from '../../../facade/vsphere/index.js';
import { maySee } from '../../users/usersFile.js';
import type { Reading, Viewer } from '../reading.js';
import { ENTITY, type Properties, WireObject } from '../wireObject.js';
import { hostObjects } from './hostObjects.js';
import { PLACES } from './places.js';
import { snapshotObject, vmObject } from './vm.js';

/** The VMs of a service and where they are. What a user may not see is not there for him. */
export class WireInventory {
  readonly #places: ReadonlyMap<string, WireObject>;
  readonly #objects = new WeakMap<VirtualMachine, WireObject>();
  #byValue: ReadonlyMap<string, VirtualMachine> = new Map();

  constructor(
    readonly service: ServiceInstance,
    uuid: string,
  ) {
    const about = service.content.about;
    const vms = (reading: Reading) => this.vmsOf(reading);
    const objects = [...folders(vms), ...hostObjects({ about, uuid, vms })];
    this.#places = new Map(objects.map((object) => [object.value, object]));
  }

  /** The VMs that the session of a reading may see, each with its reference known; those that there are now, once for all of it. */
  async vmsOf(reading: Reading): Promise<VirtualMachine[]> {
    const user = reading.session?.user;
    if (user === undefined) return [];
    return [...(await reading.vms(() => this.#list())).values()].filter(({ name }) => maySee(user, name));
  }

  /** A VM by its reference; null where the session sees none. One that was not listed yet is looked for. */
  async vm(value: string, session: Viewer | null): Promise<VirtualMachine | null> {
    const listed = this.#byValue.get(value);
    const found = listed?.isThere === true ? listed : (await this.#list()).get(value);
    return found !== undefined && session !== null && maySee(session.user, found.name) ? found : null;
  }

  /** All VMs by their references, in the order of the host file: those that have no number yet get theirs so. */
  async #list(): Promise<ReadonlyMap<string, VirtualMachine>> {
    const found = new Map<string, VirtualMachine>();
    for (const vm of await this.service.vms()) {
      if (!vm.isIdentified && vm.isThere) await vm.identify();
      if (vm.isIdentified) found.set(vm.value, vm);
    }
    this.#byValue = found;
    return found;
  }

  /** An object by the value of its reference. */
  async find({ value }: ManagedObjectReference, session: Viewer | null): Promise<WireObject | null> {
    const place = this.#places.get(value);
    if (place !== undefined) return place;
    const [, of, number] = /^(?:vm-(\d+)|(\d+)-snapshot-\d+)$/.exec(value) ?? [];
    const vm = await this.vm(`vm-${of ?? number ?? ''}`, session);
    if (vm === null) return null;
    if (of === undefined) {
      const { snapshots } = await vm.context.records.read();
      return snapshots.some(({ id }) => value.endsWith(`-snapshot-${id}`)) ? snapshotObject(vm, value) : null;
    }
    let object = this.#objects.get(vm);
    if (object?.value !== value) {
      object = vmObject(vm);
      this.#objects.set(vm, object);
    }
    return object;
  }

  /** What is directly in an object, for paths and views. */
  async childrenOf(object: WireObject, reading: Reading): Promise<WireObject[]> {
    const references: ManagedObjectReference[] = [];
    for (const property of CHILDREN[object.type] ?? []) {
      const value = await object.read(property, reading);
      if (Array.isArray(value)) references.push(...(value as ManagedObjectReference[]));
      else if (value !== undefined) references.push(value as ManagedObjectReference);
    }
    const found = await Promise.all(references.map((one) => this.find(one, reading.session)));
    return found.filter((one) => one !== null);
  }

  /** What is below an object, each once; with no types, of every type. */
  async below(
    container: WireObject,
    types: readonly string[],
    recursive: boolean,
    reading: Reading,
  ): Promise<WireObject[]> {
    const found = new Map<string, WireObject>();
    const open = [container];
    for (const object of open) {
      for (const child of await this.childrenOf(object, reading)) {
        if (found.has(child.value)) continue;
        found.set(child.value, child);
        if (recursive) open.push(child);
      }
    }
    found.delete(container.value);
    return [...found.values()].filter(
      (object) => types.length === 0 || types.some((type) => object.is(type)),
    );
  }
}

/** Properties that lead down the tree. */
const CHILDREN: Readonly<Record<string, readonly string[]>> = {
  Folder: ['childEntity'],
  Datacenter: ['vmFolder', 'hostFolder', 'datastoreFolder', 'networkFolder'],
  ComputeResource: ['host', 'resourcePool'],
  ResourcePool: ['resourcePool', 'vm'],
  HostSystem: ['vm'],
};

function folders(vms: (reading: Reading) => Promise<readonly ManagedObjectReference[]>): WireObject[] {
  const folder = (
    { value }: ManagedObjectReference,
    name: string,
    parent: ManagedObjectReference | undefined,
    childType: string[],
    childEntity: Properties[string],
  ): WireObject =>
    new WireObject('Folder', value, {
      ...ENTITY,
      name: () => name,
      parent: () => parent,
      childType: () => childType,
      childEntity,
    });
  const { root, datacenter, vmFolder, hostFolder, datastoreFolder, networkFolder } = PLACES;
  return [
    folder(root, 'ha-folder-root', undefined, ['Datacenter'], () => [datacenter]),
    new WireObject('Datacenter', datacenter.value, {
      ...ENTITY,
      name: () => 'ha-datacenter',
      parent: () => root,
      vmFolder: () => vmFolder,
      hostFolder: () => hostFolder,
      datastoreFolder: () => datastoreFolder,
      networkFolder: () => networkFolder,
      datastore: () => [PLACES.datastore],
      network: () => [PLACES.network],
      configuration: () => ({}),
    }),
    folder(vmFolder, 'vm', datacenter, ['VirtualMachine'], vms),
    folder(hostFolder, 'host', datacenter, ['ComputeResource'], () => [PLACES.compute]),
    folder(datastoreFolder, 'datastore', datacenter, ['Datastore'], () => [PLACES.datastore]),
    folder(networkFolder, 'network', datacenter, ['Network'], () => [PLACES.network]),
  ];
}
