/** A VM for tests: made, written to, killed and started again without QEMU, and used through the same `Vm` as any other. */
import { invalidArgument } from '../core/errors.js';
import {
  bytes,
  type Checks,
  checkOptions,
  granularity,
  integer,
  mapOf,
  oneOf,
  required,
  shape,
  text,
  uuid,
} from '../core/options.js';
import type { Vm } from '../core/vm.js';
import { BoundedVm } from '../host/boundedVm.js';
import { WatchedVm } from '../host/watchedVm.js';
import { loadKernel } from '../kernel/load.js';
import type { FaultRule, RandomFaults } from './faults.js';
import { Machine, uuids } from './machine.js';
import { MemoryDisk } from './memoryDisk.js';
import { MemoryVm } from './memoryVm.js';

/** A disk of a VM for tests. */
export interface TestDiskOptions {
  /** A multiple of 512. */
  sizeBytes: number;
  /** `raw`: its points in time end with the process. qcow2 unless given. */
  format?: 'qcow2' | 'raw' | undefined;
}

/** How a VM for tests is made. */
export interface TestVmOptions {
  /** Its disks by name. */
  disks: Readonly<Record<string, TestDiskOptions>>;
  /** `test-vm` unless given. */
  name?: string | undefined;
  /** Drawn by the seed unless given. */
  uuid?: string | undefined;
  /** What UUIDs are drawn by: with one seed and the same calls, points and histories are the same. 1 unless given. */
  seed?: number | undefined;
}

/** A disk as its guest, and whoever does it harm, has it. */
export interface TestDisk {
  /** Its name in the VM. */
  readonly name: string;
  /** Its size now, bytes. */
  readonly sizeBytes: number;
  /**
   * Writes as the guest does: bytes, or one byte so many times.
   * @param offset Bytes from the start of the disk.
   * @param data The bytes.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for what is out of the disk.
   */
  write(offset: number, data: Uint8Array): void;
  /**
   * Writes `length` bytes of this value.
   * @param offset Bytes from the start of the disk.
   * @param length Bytes.
   * @param value Each byte, 0 to 255.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for what is out of the disk.
   */
  fill(offset: number, length: number, value: number): void;
  /**
   * Makes a range read as zeros.
   * @param offset Bytes from the start of the disk.
   * @param length Bytes.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for what is out of the disk.
   */
  zero(offset: number, length: number): void;
  /**
   * What it holds now.
   * @returns All bytes, a copy.
   */
  content(): Buffer;
  /**
   * Cuts it off or makes it longer, in the running VM.
   * @param sizeBytes The new size.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a size that is none.
   */
  resize(sizeBytes: number): void;
  /**
   * Somebody takes a bitmap away; the newest one of ours unless it is named.
   * @param name Which one; the one that records unless given.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT where there is none.
   */
  loseBitmap(name?: string): void;
  /**
   * Somebody else’s bitmap, which records.
   * @param name Its name.
   * @param granularityBytes A power of two.
   * @throws `CbtError` for a name that is taken, or a granularity that is none.
   */
  addBitmap(name: string, granularityBytes?: number): void;
  /**
   * Names of all bitmaps.
   * @returns Their names.
   */
  bitmaps(): string[];
}

/** A machine in memory. */
export interface TestVm {
  /** What it is called. */
  readonly name: string;
  /** Its UUID. */
  readonly uuid: string;
  /** Whether it runs. */
  readonly running: boolean;
  /**
   * Connects to it, as `connectVm` does to a QEMU; `ERR_CBT_CONNECTION_LOST` while it does not run.
   * @throws What a fault says that was set for it.
   */
  connect(): Promise<Vm>;
  /**
   * A disk by its name.
   * @param name Its name.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT where it has none of that name.
   */
  disk(name: string): TestDisk;
  /**
   * Ends the process as `kill -9` does: sessions are lost, and every bitmap is inconsistent from then on.
   * @returns At once.
   */
  crash(): void;
  /**
   * Ends it in order: sessions are lost, bitmaps of qcow2 stay.
   * @returns At once.
   */
  stop(): void;
  /**
   * Starts it again, after `stop` where it runs.
   * @returns At once.
   */
  restart(): void;
  /**
   * Something happens at one of the calls from now on.
   * @param rule Which call meets what.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a rule that is none.
   */
  fault(rule: FaultRule): void;
  /**
   * Calls fail by chance from now on.
   * @param faults How many, and the seed.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for what is none.
   */
  faultsAtRandom(faults: RandomFaults): void;
  /**
   * No more faults.
   * @returns At once.
   */
  clearFaults(): void;
}

const DISK: Checks<TestDiskOptions> = { sizeBytes: required(integer(0)), format: oneOf('qcow2', 'raw') };
const VM: Checks<TestVmOptions> = {
  disks: required(mapOf(shape<TestDiskOptions>(DISK))),
  name: text,
  uuid,
  seed: integer(0, 2 ** 32 - 1),
};

/**
 * Makes a VM in memory, running, nothing of it tracked.
 * @param options Its disks.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be.
 * @example
 * ```ts
 * const vm = await createVm({ disks: { drive0: { sizeBytes: 1 << 30 } } });
 * vm.disk('drive0').write(0, Buffer.from('hello'));
 * ```
 */
export async function createVm(options: TestVmOptions): Promise<TestVm> {
  checkOptions('createVm', options, VM);
  const { seed = 1, name = 'test-vm' } = options;
  const disks = Object.entries(options.disks).map(
    ([disk, { sizeBytes, format = 'qcow2' }]) => new MemoryDisk(disk, { sizeBytes, format }),
  );
  if (disks.length === 0) throw invalidArgument('disks', 'none', 'at least one disk');
  const own = options.uuid?.toLowerCase() ?? uuids(seed ^ 0x5eed)();
  return testVm(new Machine({ name, uuid: own, disks, kernel: await loadKernel(), seed }));
}

/** A connection as a program has it: told of, and with each caller's own time. */
export function connectTo(machine: Machine): Vm {
  return new WatchedVm(new BoundedVm(new MemoryVm(machine)), undefined);
}

/** The machine as a test has it. */
export function testVm(machine: Machine): TestVm {
  return {
    name: machine.name,
    uuid: machine.uuid,
    get running() {
      return machine.running;
    },
    async connect() {
      machine.requireRunning();
      return connectTo(machine);
    },
    disk: (name) => testDisk(machine.find(name)),
    crash: () => machine.end(false),
    stop: () => machine.end(true),
    restart() {
      machine.end(true);
      machine.start();
    },
    fault: (rule) => machine.faults.add(rule),
    faultsAtRandom: (faults) => machine.faults.atRandom(faults),
    clearFaults: () => machine.faults.clear(),
  };
}

function testDisk(disk: MemoryDisk): TestDisk {
  return {
    name: disk.name,
    get sizeBytes() {
      return disk.sizeBytes;
    },
    write(offset, data) {
      bytes(data, 'data');
      disk.write(offset, data);
    },
    fill(offset, length, value) {
      integer(0, disk.sizeBytes)(length, 'length');
      integer(0, 255)(value, 'value');
      disk.write(offset, Buffer.alloc(length, value));
    },
    zero: (offset, length) => disk.zero(offset, length),
    content: () => disk.bytes(0, disk.sizeBytes),
    resize: (sizeBytes) => disk.resize(sizeBytes),
    loseBitmap: (name) => disk.loseBitmap(name),
    addBitmap(name, granularityBytes) {
      text(name, 'name');
      if (granularityBytes !== undefined) granularity(granularityBytes, 'granularityBytes');
      disk.addBitmap(name, granularityBytes);
    },
    bitmaps: () => disk.state(true).layers[0]?.bitmaps.map(({ name }) => name) ?? [],
  };
}
