/** Boot test: a run’s disks, on overlays that are thrown away, are started as a machine without network, to see whether it comes up. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DiskName, PointId } from '../core/ids.js';
import { type BootOptions, type BootResult, bootMachine } from '../host/bootMachine.js';
import { makeMarkedFolder } from '../linux/markedFolder.js';
import { instantRestore } from './instantRestore.js';
import type { Selection, Unheld } from './reading.js';

/** Which run, and how its machine is made. */
export interface BootTestOptions extends Selection, Omit<BootOptions, 'images'> {
  /** Folder of the backup. */
  from: string;
  /** Folder for what the machine writes; that of the system for temporary files unless given. */
  scratch?: string | undefined;
  onUnheld?: Unheld | undefined;
}

/** How it went, of which run. */
export interface BootTestResult extends BootResult {
  run: number;
  pit: PointId;
  disks: DiskName[];
}

/** Nothing of the folder is changed, and nothing of the machine is left. */
export async function bootTest(options: BootTestOptions): Promise<BootTestResult> {
  const { from, at, disk, scratch, signal, onUnheld = () => undefined, ...machine } = options;
  const place = await makeMarkedFolder('boot', scratch === undefined ? undefined : resolve(scratch));
  try {
    return await instantRestore(
      { from, at, disk, toFolder: place, signal, onUnheld },
      async ({ disks, ...of }) => {
        const images = disks.map(({ image }) => image);
        const result = await bootMachine({ ...machine, images, signal });
        return { ...of, disks: disks.map((one) => one.disk), ...result };
      },
    );
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
