/** The VM in memory that programs' unit tests have, as the contracts ask for it. */

import { loadKernel } from '../../lib/kernel/load.js';
import { connectTo } from '../../lib/testing/createVm.js';
import { Machine } from '../../lib/testing/machine.js';
import { MemoryData } from '../../lib/testing/memoryData.js';
import { MemoryDisk } from '../../lib/testing/memoryDisk.js';
import { MemoryDiskSource } from '../../lib/testing/memorySource.js';
import { ALLOCATION, type DataSubject } from './diskData.js';
import * as source from './diskSource.js';
import { DISK_BYTES, DISKS, type VmSubject } from './vm.js';

const kernel = await loadKernel();

export async function memoryVm(): Promise<VmSubject> {
  const options = { sizeBytes: DISK_BYTES, format: 'qcow2' } as const;
  const disks = DISKS.map((name) => new MemoryDisk(name, options));
  const uuid = '77777777-7777-4777-8777-777777777777';
  const machine = new Machine({ name: 'web', uuid, disks, kernel, seed: 7 });
  const vm = connectTo(machine);
  return {
    vm,
    again: async () => connectTo(machine),
    slowDown() {
      for (const call of ['begin', 'reset'] as const) machine.faults.add({ call, happens: 'delay' });
    },
    image: (disk) => machine.find(disk).filename,
    guestIo: async (disk, command) => guestIo(machine.find(disk), command),
    spoil: async (disk) => machine.find(disk).loseBitmap(),
    [Symbol.asyncDispose]: () => vm.close(),
  };
}

/** `write [-z] [-P value] offset length`, as qemu-io has it. */
function guestIo(disk: MemoryDisk, command: string): void {
  const [, zero, pattern, offset, length] = /^write (-z )?(?:-P (\d+) )?(\d+) (\d+)$/.exec(command) ?? [];
  if (offset === undefined || length === undefined) throw new Error(`no write: ${command}`);
  if (zero !== undefined) disk.zero(Number(offset), Number(length));
  else disk.write(Number(offset), Buffer.alloc(Number(length), Number(pattern ?? 0xcd)));
}

/** A disk over another one. */
export async function memoryDisk(): Promise<source.SourceSubject> {
  const { SIZE, KIB64 } = source;
  const backing = new MemoryDisk('base', { sizeBytes: SIZE, format: 'qcow2' });
  const disk = new MemoryDisk('disk', { sizeBytes: SIZE, format: 'qcow2', backing });
  const write = (to: MemoryDisk, grain: number): void =>
    to.write(grain * KIB64, Buffer.alloc(Math.min(KIB64, SIZE - grain * KIB64), 7));
  write(backing, source.BASE_GRAIN);
  for (const [name, granularityBytes, dirty] of [
    [source.FINE, KIB64, source.FINE_GRAINS],
    [source.COARSE, 2 * KIB64, source.COARSE_GRAINS],
  ] as const) {
    disk.addBitmap(name, granularityBytes);
    for (const grain of dirty) write(disk, grain);
    disk.apply([{ kind: 'disable', name }]);
  }
  return {
    open: async () => new MemoryDiskSource(disk, { kernel, live: true }),
    addBitmap: async (name) => disk.addBitmap(name),
    zeros: false,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

export const memoryBytes =
  ({ readOnly }: { readOnly: boolean }) =>
  async (content: Buffer): Promise<DataSubject> => {
    const disk = new MemoryDisk('disk', { sizeBytes: content.length, format: 'raw' });
    for (let at = 0; at < content.length; at += 65_536) {
      const part = content.subarray(at, at + 65_536);
      if (part.some((byte) => byte !== 0)) disk.write(at, part);
    }
    const allocated = () => new MemoryDiskSource(disk, { kernel, live: true }).allocatedRanges();
    return {
      open: async () => new MemoryData({ disk, readOnly, contexts: [ALLOCATION], allocated }),
      writable: !readOnly,
      [Symbol.asyncDispose]: async () => undefined,
    };
  };
