/** What a client has from us, by the numbers that stand for it in C; and the VMs that it may name. */
import {
  type Library,
  VixDiskLibConnection,
  type VixDiskLibConnectParams,
  VixDiskLibHandle,
} from '../../../facade/vixdisklib/index.js';
import { connect } from '../../../facade/vsphere/serviceInstance.js';
import { Inventory } from '../../../host/inventory.js';
import { requireOwnName } from './ownNames.js';

/** Where VMs are told. */
export interface Reach {
  /** The host file; that of the environment or of the machine where it is not given. */
  host?: string | undefined;
  env: Readonly<Record<string, string | undefined>>;
  stateFolder?: string | undefined;
}

export class ClientObjects {
  readonly #library: Library;
  readonly #objects = new Map<bigint, VixDiskLibConnection | VixDiskLibHandle>();
  readonly #numbers = new Map<VixDiskLibConnection | VixDiskLibHandle, bigint>();
  #next = 1n;
  #reach: Reach;

  constructor(library: Library, reach: Reach) {
    this.#library = library;
    this.#reach = reach;
  }

  /** The host file that the client's own settings name. */
  set host(file: string | undefined) {
    if (file !== undefined) this.#reach = { ...this.#reach, host: file };
  }

  /** The number that stands for it, for as long as it is open; no number is given twice. */
  add(object: VixDiskLibConnection | VixDiskLibHandle): bigint {
    const number = this.#next;
    this.#next += 1n;
    this.#objects.set(number, object);
    this.#numbers.set(object, number);
    return number;
  }

  connection(number: bigint): VixDiskLibConnection | undefined {
    const object = this.#objects.get(number);
    return object instanceof VixDiskLibConnection ? object : undefined;
  }

  handle(number: bigint): VixDiskLibHandle | undefined {
    const object = this.#objects.get(number);
    return object instanceof VixDiskLibHandle ? object : undefined;
  }

  /** Closed, its number stands for nothing. */
  forget(...objects: readonly (VixDiskLibConnection | VixDiskLibHandle | undefined)[]): void {
    for (const object of objects) {
      const number = object && this.#numbers.get(object);
      if (object === undefined || number === undefined) continue;
      this.#numbers.delete(object);
      this.#objects.delete(number);
    }
  }

  /** Before a call that may name a VM: reads the host file, once there is need of it, and refuses servers other than this machine. */
  async reach(params: VixDiskLibConnectParams | null): Promise<void> {
    if ((params?.vmxSpec ?? '') === '') return;
    await requireOwnName(params?.serverName ?? null);
    if (this.#library.settings.service !== undefined) return;
    const { host, env, stateFolder } = this.#reach;
    const inventory = new Inventory({ file: host, env, stateFolder });
    const vms = (await inventory.vms()).map(({ entry }) => entry);
    if (vms.length > 0)
      this.#library.settings = { ...this.#library.settings, service: connect({ vms, stateFolder }) };
  }
}
