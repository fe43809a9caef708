/** Pictures of what a backup copied, a disk each: drawn while the session can still be asked, shown when the run stands. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskResult } from '../../backup/backup.js';
import type { DiskPlan } from '../../backup/backupOptions.js';
import type { CliIo } from '../io.js';
import { writeOutput } from '../output.js';
import { bucketize } from './buckets.js';
import { drawSvg, SVG_CELLS } from './svgMap.js';
import { drawForTerminal } from './terminalMap.js';

export class BackupPictures {
  readonly #io: CliIo;
  readonly #inSummary: boolean;
  readonly #folder: string | undefined;
  readonly #drawn = new Map<string, string>();
  readonly #files = new Map<string, string>();

  constructor(io: CliIo, options: { map?: boolean; mapSvg?: string }) {
    this.#io = io;
    this.#inSummary = options.map ?? false;
    this.#folder = options.mapSvg;
  }

  readonly draw = async ({ disk, map }: DiskPlan): Promise<void> => {
    if (this.#inSummary) this.#drawn.set(disk, await drawForTerminal(this.#io, map));
    if (this.#folder !== undefined) this.#files.set(disk, drawSvg(await bucketize(map, SVG_CELLS), map));
  };

  /** What is shown under the disk's own lines. */
  inSummary(disk: string): string | null {
    return this.#drawn.get(disk) ?? null;
  }

  /** The SVG files of the disks that were copied, each named as its layer; their folder is made when it is not there. */
  async writeFiles(disks: readonly DiskResult[]): Promise<void> {
    if (this.#folder !== undefined) await mkdir(this.#folder, { recursive: true });
    for (const disk of disks) {
      const svg = this.#files.get(disk.disk);
      if ('error' in disk || svg === undefined || this.#folder === undefined) continue;
      const name = disk.file.replace(/\.qcow2$/, '.svg');
      await writeOutput(join(this.#folder, name), disk.disk, (file) => file.writeFile(svg));
    }
  }
}
