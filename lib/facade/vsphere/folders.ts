/** Where the VMs are: a root folder, one data centre, its folder of VMs, as in the inventory of one host. */
import { ManagedObject } from './managedObject.js';
import type { VirtualMachine } from './virtualMachine.js';

/** What a folder holds. */
export type ManagedEntity = Folder | Datacenter | VirtualMachine;

/** A folder of the inventory. */
export class Folder<Child extends ManagedEntity = ManagedEntity> extends ManagedObject {
  readonly type = 'Folder';

  /** @internal */
  constructor(
    readonly value: string,
    readonly name: string,
    /** Types of what it may hold. */
    readonly childType: readonly string[],
    readonly childEntity: readonly Child[],
  ) {
    super();
  }
}

/** The one data centre of a host. */
export class Datacenter extends ManagedObject {
  readonly type = 'Datacenter';
  readonly value = 'ha-datacenter';
  readonly name = 'ha-datacenter';
  /** The folder of all VMs. */
  readonly vmFolder: Folder<VirtualMachine>;

  /** @internal */
  constructor(vms: readonly VirtualMachine[]) {
    super();
    this.vmFolder = new Folder('ha-folder-vm', 'vm', ['VirtualMachine'], vms);
  }
}

/** The folder that everything is in. */
export function rootOf(vms: readonly VirtualMachine[]): Folder<Datacenter> {
  return new Folder('ha-folder-root', 'ha-folder-root', ['Datacenter'], [new Datacenter(vms)]);
}
