/** A folder of runs of one disk, whose manifests are changed afterwards. */
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatManifest, type Manifest, parseManifest } from '../../../lib/backup/manifest.js';
import { makeLayerFolder } from '../../helpers/layerFolder.js';

const KIB64 = 65_536;

export const manifestOf = (to: string, number: number): string => join(to, `run-00000${number}.json`);

/** Runs of a disk of four clusters, each writing one; on 1, 2, 3 … January 2026. */
export async function makeRuns(to: string, count: number): Promise<void> {
  const cells = (at: number): (number | null)[] => [0, 1, 2, 3].map((i) => (i === at % 4 ? at : null));
  await makeLayerFolder(
    to,
    Array.from({ length: count }, (_, i) => ({ sizeBytes: 4 * KIB64, cells: cells(i + 1) })),
  );
}

/** Writes a run's manifest anew, changed. */
export async function change(
  to: string,
  number: number,
  how: (manifest: Manifest) => Partial<Manifest>,
): Promise<void> {
  const path = manifestOf(to, number);
  const manifest = parseManifest(await readFile(path, 'utf8'), path, number);
  await writeFile(path, formatManifest({ ...manifest, ...how(manifest) }));
}

/** Makes a run one in which the disk failed, and another one of this name was backed up in full: as the disk was in run 1. */
export async function failsInto(to: string, name: string, number: number): Promise<void> {
  const [full] = parseManifest(await readFile(manifestOf(to, 1), 'utf8'), manifestOf(to, 1), 1).disks;
  if (full === undefined) throw new Error('run 1 has no disk');
  const [file, sums] = [`${name}-00000${number}.qcow2`, `${name}-00000${number}.sums`];
  await change(to, number, () => ({
    disks: [{ ...full, disk: name, key: name, file, sums: { ...full.sums, file: sums } }],
    failed: [{ disk: 'disk', code: 'ERR_CBT_TIMEOUT', reason: null, message: 'x' }],
  }));
  await copyFile(join(to, full.file), join(to, file));
  await copyFile(join(to, full.sums.file), join(to, sums));
  for (const end of ['qcow2', 'sums']) await rm(join(to, `disk-00000${number}.${end}`));
}
