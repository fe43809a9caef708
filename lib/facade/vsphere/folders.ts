/** Where the VMs are: a root folder, one data centre, its folder of VMs, as in the inventory of one host. */
import { ManagedObject } from './managedObject.js';
import type { VirtualMachine } from './virtualMachine.js';

/** What a folder holds. */
export type ManagedEntity = Folder | Datacenter | VirtualMachine;

/** A folder of the inventory. */
export class Folder<Child extends ManagedEntity = ManagedEntity> extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'Folder';

  /** @internal */
  constructor(
    /** Value of its reference. */
    readonly value: string,
    /** Its name. */
    readonly name: string,
    /** Types of what it may hold. */
    readonly childType: readonly string[],
    private readonly children: () => readonly Child[],
  ) {
    super();
  }

  /** What is in it: VMs as they were found last. */
  get childEntity(): readonly Child[] {
    return this.children();
  }
}

/** The one data centre of a host. */
export class Datacenter extends ManagedObject {
  /** Name of its class in the API. */
  readonly type = 'Datacenter';
  /** Value of its reference. */
  readonly value = 'ha-datacenter';
  /** Its name, the same everywhere. */
  readonly name = 'ha-datacenter';
  /** The folder of all VMs. */
  readonly vmFolder: Folder<VirtualMachine>;

  /** @internal */
  constructor(vms: () => readonly VirtualMachine[]) {
    super();
    this.vmFolder = new Folder('ha-folder-vm', 'vm', ['VirtualMachine'], vms);
  }
}

/** The folder that everything is in. */
export function rootOf(vms: () => readonly VirtualMachine[]): Folder<Datacenter> {
  const datacenters = [new Datacenter(vms)];
  return new Folder('ha-folder-root', 'ha-folder-root', ['Datacenter'], () => datacenters);
}
