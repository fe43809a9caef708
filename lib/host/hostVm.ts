/** A VM of this machine: as its owner configured it, and the way to it. */
import { CbtError, invalidArgument } from '../core/errors.js';
import { parseUuid } from '../core/pointInTime.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { CallOptions, Vm } from '../core/vm.js';
import { notServed } from './diskName.js';
import type { HostDescription } from './hostSchema.js';
import { type OpenDiskOptions, openDisk } from './open.js';
import { defaultStateFolder, RecordStore } from './recordStore.js';
import { type ConnectOptions, connectVm } from './vm.js';

/** A VM as a host file, or a program, tells it; docs/host.example.yaml says what each part is. */
export type VmEntry = NonNullable<HostDescription['vms']>[number];

/** A VM of the inventory. Nothing is asked of it before it is connected to. */
export class HostVm {
  readonly name: string;
  /** With the defaults of the host file. */
  readonly entry: VmEntry;
  /** What is remembered of it on this machine. */
  readonly records: RecordStore;

  constructor(entry: VmEntry, stateFolder: string = defaultStateFolder()) {
    this.name = entry.name;
    this.entry = entry;
    this.records = new RecordStore(stateFolder, entry.name);
  }

  /** The QMP socket; `ERR_CBT_UNSUPPORTED` of a VM that this version does not reach. */
  get socket(): string {
    const { qmp, libvirt } = this.entry;
    if (qmp !== undefined) return qmp;
    throw notServed(`VM ${this.name}: libvirt ${libvirt}`);
  }

  /** Connects to it while it runs. A monitor that is silent is an error, as is a VM that is off. */
  async connect(options: ConnectOptions = {}): Promise<Vm> {
    const { nbdSocket, scratch } = this.entry;
    const vm = await connectVm(this.socket, {
      ...options,
      nbdSocket: options.nbdSocket ?? nbdSocket,
      scratch: options.scratch ?? scratch,
    });
    try {
      await this.#requireItself(vm, options);
      return vm;
    } catch (error) {
      await vm.close();
      throw error;
    }
  }

  /** A socket only leads to a VM: another one may answer there by now. */
  async #requireItself(vm: Vm, { signal }: CallOptions): Promise<void> {
    const wanted = parseUuid(this.entry.uuid ?? '');
    if (wanted === null) return;
    const { uuid } = await vm.facts({ signal });
    if (uuid === null || uuid === wanted) return;
    throw new CbtError(
      'ERR_CBT_INVALID_ARGUMENT',
      `VM ${this.name} has the UUID ${wanted} in the host file, and the one at ${this.socket} is ${uuid}: another VM answers there`,
      { details: { vm: this.name, expected: wanted, received: uuid } },
    );
  }

  /** A disk for questions; of a VM that is off its image, where the configuration names it. */
  async openDisk(disk: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
    let vm: Vm;
    try {
      const { signal, kernel, nbdSocket, scratch } = options;
      vm = await this.connect({ signal, kernel, nbdSocket, scratch });
    } catch (error) {
      const { images } = this.entry;
      if (images === undefined || !isGone(error)) throw error;
      const image = Object.hasOwn(images, disk) ? images[disk] : undefined;
      const known = Object.keys(images).join(', ');
      if (image === undefined)
        throw invalidArgument('disk', disk, `one whose image is known while ${this.name} is off: ${known}`);
      const { kernel, signal } = options;
      return openDisk(image, { format: 'qcow2', kernel, signal });
    }
    try {
      return (await vm.openDisk(disk, { signal: options.signal })).closeWith(vm);
    } catch (error) {
      await vm.close();
      throw error;
    }
  }

  /** RFC 4122 text, lower case; from the configuration, else from QEMU, which must run. Null where neither says. */
  async uuid({ signal }: CallOptions = {}): Promise<string | null> {
    const configured = parseUuid(this.entry.uuid ?? '');
    if (configured !== null) return configured;
    await using vm = await this.connect({ signal });
    return (await vm.facts({ signal })).uuid;
  }
}

/** Whether nobody listens on the socket. A monitor that is busy or silent is not gone. */
export function isGone(error: unknown): boolean {
  return (
    error instanceof CbtError &&
    error.code === 'ERR_CBT_BACKEND_UNAVAILABLE' &&
    ['ENOENT', 'ECONNREFUSED'].includes(String(error.details['errno']))
  );
}
