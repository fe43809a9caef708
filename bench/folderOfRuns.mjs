// A backup folder of many runs of one disk, made without backing anything up: each layer by the writer that backups use.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LayerWriter } from '../dist/backup/layerWriter.js';
import { CLUSTER_BYTES, formatManifest } from '../dist/backup/manifest.js';
import { layerName, manifestName, sumsName } from '../dist/backup/names.js';
import { SumsWriter } from '../dist/backup/sums.js';

/** One full run with `fullBytes` of data, and increments of `clusters` clusters each, all over the disk. */
export async function makeFolder(folder, { runs, sizeBytes, fullBytes, clusters }) {
  await mkdir(folder);
  const epoch = randomUUID();
  const data = Buffer.alloc(1 << 20);
  let below = null;
  for (let run = 1; run <= runs; run += 1) {
    const file = layerName('disk', run);
    const layer = await LayerWriter.create(join(folder, file), {
      clusterBytes: CLUSTER_BYTES,
      sizeBytes,
      backing: below === null ? null : layerName('disk', below.run),
    });
    const sums = await SumsWriter.create(join(folder, sumsName('disk', run)), sizeBytes);
    let storedBytes = 0;
    const put = async (offset, length) => {
      data.writeUInt32BE(run, 0);
      const bytes = data.subarray(0, length);
      await layer.write(offset, bytes);
      await sums.add({ offset, length, sha256: createHash('sha256').update(bytes).digest('hex') });
      storedBytes += length;
    };
    if (run === 1) for (let at = 0; at < fullBytes; at += data.length) await put(at, data.length);
    else {
      const all = sizeBytes / CLUSTER_BYTES;
      const step = Math.floor(all / clusters);
      for (let i = 0; i < clusters; i += 1)
        await put((i * step + (run % step)) * CLUSTER_BYTES, CLUSTER_BYTES);
    }
    await layer.finish();
    await layer[Symbol.asyncDispose]();
    const summed = await sums.finish();
    await sums.close();
    const pit = randomUUID();
    const text = manifestText({
      run,
      pit,
      epoch,
      below,
      sizeBytes,
      storedBytes,
      summed,
      fileBytes: (await stat(join(folder, file))).size,
    });
    await writeFile(join(folder, manifestName(run)), text);
    below = { run, pit };
  }
}

function manifestText({ run, pit, epoch, below, sizeBytes, storedBytes, summed, fileBytes }) {
  const at = new Date(Date.UTC(2026, 0, 1) + run * 3_600_000).toISOString();
  const disk = {
    disk: 'disk',
    key: 'disk',
    sizeBytes,
    epoch,
    changeId: null,
    verdict: below === null ? 'full' : 'incremental',
    reason: null,
    message: null,
    base: below,
    file: layerName('disk', run),
    fileBytes,
    sums: { file: sumsName('disk', run), ...summed },
    changedBytes: storedBytes,
    storedBytes,
    zeroBytes: 0,
  };
  return formatManifest({
    format: 'qemu-cbt-backup',
    version: 2,
    run,
    pit,
    startedAt: at,
    finishedAt: at,
    source: { kind: 'images', name: null, uuid: null },
    disks: [disk],
    failed: [],
  });
}

/** The manifests of so many runs alone: what they name is there, and empty. */
export async function makeManifests(folder, runs) {
  await mkdir(folder);
  const epoch = randomUUID();
  const summed = { sha256: createHash('sha256').digest('hex'), bytes: 0 };
  let below = null;
  for (let run = 1; run <= runs; run += 1) {
    const pit = randomUUID();
    const text = manifestText({
      run,
      pit,
      epoch,
      below,
      sizeBytes: 2 ** 30,
      storedBytes: 65_536,
      summed,
      fileBytes: 0,
    });
    for (const name of [layerName('disk', run), sumsName('disk', run)])
      await writeFile(join(folder, name), '');
    await writeFile(join(folder, manifestName(run)), text);
    below = { run, pit };
  }
}

if (process.argv[1].endsWith('folderOfRuns.mjs')) {
  const [folder, runs, sizeGiB, fullMiB, clusters] = process.argv.slice(2);
  await makeFolder(folder, {
    runs: +runs,
    sizeBytes: +sizeGiB * 2 ** 30,
    fullBytes: +fullMiB * 2 ** 20,
    clusters: +clusters,
  });
}
