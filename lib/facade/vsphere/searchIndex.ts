/** Finding an object of the inventory. */
import type { CallOptions } from '../../core/callOptions.js';
import { searchUuid } from '../../host/uuidSearch.js';
import { InvalidDatastore } from './faultClasses.js';
import { invalidArgument, objectNotFound } from './faults.js';
import type { Datacenter, Folder, ManagedEntity } from './folders.js';
import { calledOff, inTime } from './inTime.js';
import { isSame, ManagedObject } from './managedObject.js';
import type { ManagedObjectReference } from './reference.js';
import { LOCAL, vmPathNameOf } from './shapes.js';
import type { VirtualMachine } from './virtualMachine.js';

/**
 * Finding a VM, with its properties read; null where there is none. A VM that cannot be asked is a fault when found by what its owner
 * calls it, and passed over by UUID: it may be off. `datacenter` is the one there is, or left out; another one is
 * ManagedObjectNotFound.
 * @example
 * ```ts
 * const { searchIndex } = connect({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] }).content;
 * const vm = await searchIndex.FindByInventoryPath('ha-datacenter/vm/web');
 * ```
 */
export class SearchIndex extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'SearchIndex';
  /** Value of its reference. */
  readonly value = 'ha-searchindex';
  readonly #root: Folder<Datacenter>;
  readonly #vms: (own: CallOptions) => Promise<readonly VirtualMachine[]>;

  /** @internal `vms`: as they are now; the root shows the same then. */
  constructor(root: Folder<Datacenter>, vms: (own: CallOptions) => Promise<readonly VirtualMachine[]>) {
    super();
    this.#root = root;
    this.#vms = vms;
  }

  /**
   * By `config.uuid`, in any case; with `instanceUuid` by `config.instanceUuid`. `vmSearch` false looks for a host, and there is none
   * in this inventory. InvalidArgument where two VMs have it, as a copy of a VM has.
   * @param datacenter Where it is looked for; everywhere unless given.
   * @param uuid In any spelling.
   * @param vmSearch False looks for hosts, and none is found.
   * @param instanceUuid Of no effect: both UUIDs of a VM are one.
   * @param options Signal and deadline.
   * @throws A fault: InvalidArgument for one that two VMs have.
   */
  async FindByUuid(
    datacenter: ManagedObjectReference | null | undefined,
    uuid: string,
    vmSearch: boolean,
    instanceUuid?: boolean,
    options?: CallOptions,
  ): Promise<VirtualMachine | null> {
    const found = await inTime('FindByUuid', options, (own) =>
      this.FindAllByUuid(datacenter, uuid, vmSearch, instanceUuid, own),
    );
    const [first = null] = found;
    if (found.length < 2) return first;
    const names = found.map(({ name }) => name).join(', ');
    throw invalidArgument('uuid', `${uuid} is the UUID of ${found.length} VMs: ${names}`);
  }

  /**
   * The same, all that have it.
   * @param datacenter Where it is looked for; everywhere unless given.
   * @param uuid In any spelling.
   * @param vmSearch False looks for hosts, and none is found.
   * @param instanceUuid Of no effect: both UUIDs of a VM are one.
   * @param options Signal and deadline.
   * @throws A fault: InvalidArgument for a parameter that is not what it must be.
   */
  async FindAllByUuid(
    datacenter: ManagedObjectReference | null | undefined,
    uuid: string,
    vmSearch: boolean,
    instanceUuid = false,
    options?: CallOptions,
  ): Promise<VirtualMachine[]> {
    return inTime('FindAllByUuid', options, async (own) => {
      this.#requireDatacenter(datacenter);
      const wanted = requireText('uuid', uuid);
      const isInstance = requireFlag('instanceUuid', instanceUuid);
      if (!requireFlag('vmSearch', vmSearch)) return [];
      const { found } = await searchUuid(wanted, await this.#vms(own), (vm) => uuidOf(vm, isInstance, own));
      return found;
    });
  }

  /**
   * By `ha-datacenter/vm/<name>`, and the folders above by theirs; a leading `/` is free.
   * @param inventoryPath Names with `/` between, the datacenter’s first.
   * @param options Signal and deadline.
   * @throws A fault: of a VM that is found and cannot be asked.
   */
  async FindByInventoryPath(inventoryPath: string, options?: CallOptions): Promise<ManagedEntity | null> {
    return inTime('FindByInventoryPath', options, (own) => this.#byPath(inventoryPath, own));
  }

  async #byPath(inventoryPath: string, own: CallOptions): Promise<ManagedEntity | null> {
    const steps = requireText('inventoryPath', inventoryPath).replace(/^\//, '').split('/');
    await this.#vms(own);
    let at: ManagedEntity = this.#root;
    while (steps.length > 0) {
      // A name may hold slashes: the VM that has all that is left is meant.
      const rest: ManagedEntity | undefined = childrenOf(at).find(({ name }) => name === steps.join('/'));
      if (rest !== undefined) return read(rest, own);
      const step = steps.shift();
      const next: ManagedEntity | undefined = childrenOf(at).find(({ name }) => name === step);
      if (next === undefined) return null;
      at = next;
    }
    return read(at, own);
  }

  /**
   * By the name of the VM's own file, `[local] <name>/<name>.vmx`. InvalidDatastore for another store than `local`.
   * @param datacenter Where it is looked for; everywhere unless given.
   * @param path `[local] <name>/<name>.vmx`.
   * @param options Signal and deadline.
   * @throws A fault: InvalidDatastore for a path that names none.
   */
  async FindByDatastorePath(
    datacenter: ManagedObjectReference,
    path: string,
    options?: CallOptions,
  ): Promise<VirtualMachine | null> {
    return inTime('FindByDatastorePath', options, async (own) => {
      this.#requireDatacenter(datacenter);
      const store = /^\[([^\]]*)\]/.exec(requireText('path', path))?.[1];
      if (store !== LOCAL)
        throw new InvalidDatastore(`${path} is not in a datastore of this host: [${LOCAL}]`, {
          name: store ?? path,
        });
      const found = (await this.#vms(own)).find(({ name }) => vmPathNameOf(name) === path);
      return (await found?.refresh(own)) ?? null;
    });
  }

  /**
   * By the name that the guest gives itself. Guests are not asked for it here: never found.
   * @param datacenter Where it is looked for; everywhere unless given.
   * @param dnsName A name.
   * @param vmSearch False looks for hosts, and none is found.
   * @param options Signal and deadline.
   * @returns Null: guests are not asked for their names.
   */
  async FindByDnsName(
    datacenter: ManagedObjectReference | null | undefined,
    dnsName: string,
    vmSearch: boolean,
    options?: CallOptions,
  ): Promise<VirtualMachine | null> {
    return inTime('FindByDnsName', options, async () => {
      this.#requireDatacenter(datacenter);
      requireText('dnsName', dnsName);
      requireFlag('vmSearch', vmSearch);
      return null;
    });
  }

  /**
   * By its name in a folder or data centre. ManagedObjectNotFound for an entity that is not there.
   * @param entity The parent.
   * @param name Its name.
   * @param options Signal and deadline.
   * @throws A fault: ManagedObjectNotFound for a parent that is none.
   */
  async FindChild(
    entity: ManagedObjectReference,
    name: string,
    options?: CallOptions,
  ): Promise<ManagedEntity | null> {
    return inTime('FindChild', options, (own) => this.#child(entity, name, own));
  }

  async #child(
    entity: ManagedObjectReference,
    name: string,
    own: CallOptions,
  ): Promise<ManagedEntity | null> {
    const wanted = requireText('name', name);
    const vms = await this.#vms(own);
    const [datacenter] = this.#root.childEntity;
    const parent = [this.#root, datacenter, datacenter?.vmFolder].find(
      (one) => one !== undefined && isSame(one, requireReference('entity', entity)),
    );
    if (parent !== undefined) {
      const found = childrenOf(parent).find((child) => child.name === wanted);
      return found === undefined ? null : read(found, own);
    }
    if (vms.some((vm) => vm.isKnownAs(entity))) return null;
    throw objectNotFound(entity);
  }

  #requireDatacenter(given: ManagedObjectReference | null | undefined): void {
    if (given === undefined || given === null) return;
    const reference = requireReference('datacenter', given);
    if (!this.#root.childEntity.some((one) => isSame(one, reference))) throw objectNotFound(reference);
  }
}

function childrenOf(entity: ManagedEntity): readonly ManagedEntity[] {
  if (entity.type === 'Folder') return entity.childEntity;
  return entity.type === 'Datacenter' ? [entity.vmFolder] : [];
}

async function read<E extends ManagedEntity>(entity: E, own: CallOptions): Promise<E> {
  if (entity.type === 'VirtualMachine') await entity.refresh(own);
  return entity;
}

/** The UUID of a VM with its properties read anew; null where it cannot be asked. */
async function uuidOf(vm: VirtualMachine, instance: boolean, own: CallOptions): Promise<string | null> {
  if (!vm.context.host.served) return vm.context.entry.uuid ?? null;
  return vm.refresh(own).then(
    ({ config }) => (instance ? config.instanceUuid : config.uuid),
    (thrown: unknown) => {
      if (calledOff(thrown) !== null) throw thrown;
      return null;
    },
  );
}

function requireText(name: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalidArgument(name, `${name} is no text`);
}

function requireFlag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidArgument(name, `${name} is neither true nor false`);
}

function requireReference(name: string, value: unknown): ManagedObjectReference {
  const { type, value: text } = (value ?? {}) as Partial<ManagedObjectReference>;
  if (typeof type === 'string' && typeof text === 'string') return { type, value: text };
  throw invalidArgument(name, `${name} is neither an object nor a reference`);
}
