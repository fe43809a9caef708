/**
 * Backup folders of one disk made without a disk: any sizes, any clusters, written by the writers that backups use, beside a
 * model of what each run must restore to.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupFolder } from '../../lib/backup/folder.js';
import { checkStack } from '../../lib/backup/layerFiles.js';
import { readLayers } from '../../lib/backup/layerReader.js';
import { LayerWriter } from '../../lib/backup/layerWriter.js';
import { CLUSTER_BYTES, formatManifest, type Manifest } from '../../lib/backup/manifest.js';
import { layerName, manifestName, sumsName } from '../../lib/backup/names.js';
import { SumsWriter } from '../../lib/backup/sums.js';

export interface RunSpec {
  /** A multiple of 512. */
  sizeBytes: number;
  /** What the run writes of each cluster: nothing, zeros, or a pattern. */
  cells: readonly (null | number)[];
}

const KEY = 'disk';

/** Makes the folder; what each run's disk holds, by run. Layers are of the clusters that backups use, unless said. */
export async function makeLayerFolder(
  folder: string,
  specs: readonly RunSpec[],
  clusterBytes = CLUSTER_BYTES,
): Promise<Map<number, Buffer>> {
  await mkdir(folder);
  const contents = new Map<number, Buffer>();
  const epoch = randomUUID();
  let below: { run: number; pit: string; content: Buffer } | null = null;
  for (const [i, spec] of specs.entries()) {
    const run = i + 1;
    const content = contentOf(spec, below?.content ?? null);
    contents.set(run, content);
    const manifest = await writeRun(folder, { run, spec, content, epoch, below, clusterBytes });
    below = { run, pit: manifest.pit, content };
  }
  return contents;
}

/** What every run of a folder shows, as a restore reads it; a refusal is an Error. */
export async function readRuns(path: string): Promise<Map<number, Buffer | Error>> {
  const folder = await BackupFolder.read(path);
  const found = new Map<number, Buffer | Error>();
  for (const run of folder.runs)
    found.set(run.run, await readRun(folder, run).catch((error: Error) => error));
  return found;
}

async function readRun(folder: BackupFolder, run: Manifest): Promise<Buffer> {
  const [disk] = run.disks;
  if (disk === undefined) throw new Error('no disk');
  const layers = folder.stack(run, disk);
  await checkStack(folder, layers);
  // What is not told must not be taken for zeros.
  const content = Buffer.alloc(disk.sizeBytes, 0xee);
  for await (const piece of readLayers(folder, layers, { zeros: true })) {
    if (piece.data === null) content.fill(0, piece.offset, piece.offset + piece.length);
    else piece.data.copy(content, piece.offset);
  }
  return content;
}

function contentOf({ sizeBytes, cells }: RunSpec, below: Buffer | null): Buffer {
  const content = Buffer.alloc(sizeBytes);
  below?.copy(content, 0, 0, Math.min(below.length, sizeBytes));
  for (const [i, cell] of cells.entries())
    if (cell !== null)
      content.fill(
        cell,
        Math.min(i * CLUSTER_BYTES, sizeBytes),
        Math.min((i + 1) * CLUSTER_BYTES, sizeBytes),
      );
  return content;
}

interface Writing {
  run: number;
  spec: RunSpec;
  content: Buffer;
  epoch: string;
  below: { run: number; pit: string; content: Buffer } | null;
  clusterBytes: number;
}

async function writeRun(
  folder: string,
  { run, spec, content, epoch, below, clusterBytes }: Writing,
): Promise<Manifest> {
  const { sizeBytes, cells } = spec;
  const file = layerName(KEY, run);
  const layer = await LayerWriter.create(join(folder, file), {
    clusterBytes,
    sizeBytes,
    backing: below === null ? null : layerName(KEY, below.run),
  });
  const sums = await SumsWriter.create(join(folder, sumsName(KEY, run)), sizeBytes);
  const counted = { storedBytes: 0, zeroBytes: 0 };
  // Growth counts as changed, from the cluster on in which the disk ended.
  const grown = below === null ? 0 : Math.floor(below.content.length / CLUSTER_BYTES);
  const grows = below === null || below.content.length < sizeBytes;
  for (let i = 0; i * CLUSTER_BYTES < sizeBytes; i += 1) {
    if ((cells[i] ?? null) === null && !(grows && i >= grown)) continue;
    const data = content.subarray(i * CLUSTER_BYTES, Math.min((i + 1) * CLUSTER_BYTES, sizeBytes));
    const at = { offset: i * CLUSTER_BYTES, length: data.length };
    if (data.some((byte) => byte !== 0)) {
      await layer.write(at.offset, data);
      await sums.add({ ...at, sha256: createHash('sha256').update(data).digest('hex') });
      counted.storedBytes += data.length;
    } else if (below !== null) {
      await layer.zero(at.offset, at.length);
      await sums.add({ ...at, sha256: null });
      counted.zeroBytes += data.length;
    }
  }
  await layer.finish();
  await layer[Symbol.asyncDispose]();
  const summed = await sums.finish();
  await sums.close();
  const at = new Date(Date.UTC(2026, 0, run)).toISOString();
  const manifest: Manifest = {
    format: 'qemu-cbt-backup',
    version: 2,
    run,
    pit: randomUUID(),
    startedAt: at,
    finishedAt: at,
    source: { kind: 'images', name: null, uuid: null },
    disks: [
      {
        disk: KEY,
        key: KEY,
        sizeBytes,
        epoch,
        changeId: null,
        verdict: below === null ? 'full' : 'incremental',
        reason: null,
        message: null,
        base: below === null ? null : { run: below.run, pit: below.pit },
        file,
        fileBytes: (await stat(join(folder, file))).size,
        sums: { file: sumsName(KEY, run), ...summed },
        changedBytes: counted.storedBytes + counted.zeroBytes,
        ...counted,
      },
    ],
    failed: [],
  };
  await writeFile(join(folder, manifestName(run)), formatManifest(manifest));
  return manifest;
}
