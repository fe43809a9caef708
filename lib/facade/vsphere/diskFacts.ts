/** What is read of a VM's disks, running or off. */
import type { CallOptions } from '../../core/callOptions.js';
import type { Vm } from '../../core/vm.js';
import { toFault } from './faults.js';
import { fileNameOf } from './shapes.js';
import type { VmContext } from './vmContext.js';

export interface DiskFacts {
  disk: string;
  fileName: string;
  /** Path of the image. */
  path: string | undefined;
  /** Paths of what lies below it, the nearest first. */
  parents: readonly string[];
  capacityInBytes: number;
  /** Its history; null where it is not tracked. */
  epoch: string | null;
  newest: { pit: string; changeId: string } | undefined;
}

/** Every disk that takes part; one that cannot be read is a fault. */
export async function readDisks(vm: VmContext, connected: Vm, own: CallOptions = {}): Promise<DiskFacts[]> {
  const found: DiskFacts[] = [];
  for (const { disk, filename, sizeBytes, backing = [] } of await vm.disksOf(connected, own)) {
    const fileName = fileNameOf(filename ?? disk);
    try {
      await using opened = await connected.openDisk(disk, own);
      const { pits, epoch } = await opened.pits(own);
      found.push({
        disk,
        fileName,
        path: filename,
        parents: backing,
        capacityInBytes: sizeBytes ?? 0,
        epoch,
        newest: pits.at(-1),
      });
    } catch (thrown) {
      throw toFault(thrown, fileName);
    }
  }
  return found;
}
