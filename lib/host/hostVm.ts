/** A VM of this machine: as its owner configured it, and the way to it. */
import { CbtError } from '../core/errors.js';
import { parseUuid } from '../core/pointInTime.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { CallOptions, Vm } from '../core/vm.js';
import { notServed } from './diskName.js';
import type { HostDescription } from './hostSchema.js';
import { defaultStateFolder } from './lockedRecord.js';
import type { OpenDiskOptions } from './open.js';
import { openVm } from './openVm.js';
import { RecordStore } from './recordStore.js';
import type { ConnectOptions } from './vm.js';

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

  /** The VM as it is now: running, or off where nobody listens and its images are known. A monitor that is silent is an error. */
  async connect(options: ConnectOptions = {}): Promise<Vm> {
    const { nbdSocket, scratch, images, uuid } = this.entry;
    const vm = await openVm({
      ...options,
      qmp: this.socket,
      images,
      // Never told from the bytes: a guest may write the header of an image into a raw disk.
      format: 'qcow2',
      name: this.name,
      uuid,
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

  /** A disk for questions, of the VM as it is now. */
  async openDisk(
    disk: string,
    { signal, kernel, nbdSocket, scratch }: OpenDiskOptions = {},
  ): Promise<TrackedDisk> {
    const vm = await this.connect({ signal, kernel, nbdSocket, scratch });
    try {
      return (await vm.openDisk(disk, { signal })).closeWith(vm);
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
    if (vm.running) return (await vm.facts({ signal })).uuid;
    const message = `VM ${this.name} is off, and its configuration does not say which UUID it has`;
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { details: { vm: this.name } });
  }
}
