/**
 * Folders of several disks and owners, with runs in which any of them is missing: for every disk a prune keeps what it would keep in a folder
 * of that disk alone, nothing else, and the listing says the same.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BackupFolder } from '../../../lib/backup/folder.js';
import { type KeepRules, runsToKeep } from '../../../lib/backup/keepRules.js';
import { keptRuns } from '../../../lib/backup/keptRuns.js';
import { listRuns } from '../../../lib/backup/listing/listRuns.js';
import { formatManifest, type Manifest } from '../../../lib/backup/manifest.js';
import { layerName, manifestName, sumsName } from '../../../lib/backup/names.js';
import { runs } from '../../helpers/effort.js';
import { SEED } from '../../helpers/seed.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let count = 0;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

/** Two owners, each with disks of the same names. */
const OWNERS = [0, 1].map((i) => ({
  id: randomUUID(),
  disks: ['vda', 'vdb', 'vdc'].map((disk) => `${disk}_${i}`),
}));
const SUM = 'a'.repeat(64);

interface Spec {
  owner: number;
  /** Which of its disks were backed up. */
  had: boolean[];
  hoursLater: number;
}

const spec: fc.Arbitrary<Spec> = fc.record({
  owner: fc.integer({ min: 0, max: 1 }),
  had: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }).filter((all) => all.includes(true)),
  hoursLater: fc.constantFrom(0, 1, 7, 24, 24 * 5, 24 * 40, 24 * 400),
});
const number = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });
const rules: fc.Arbitrary<KeepRules> = fc
  .record({ last: number, hourly: number, daily: number, weekly: number, monthly: number, yearly: number })
  .filter((all) => Object.values(all).some((value) => value !== undefined));

function manifestsOf(specs: readonly Spec[]): Manifest[] {
  let at = Date.UTC(2020, 0, 1);
  return specs.map(({ owner, had, hoursLater }, i) => {
    const run = i + 1;
    at += hoursLater * 3_600_000;
    const { id, disks } = OWNERS[owner] as (typeof OWNERS)[number];
    const startedAt = new Date(at).toISOString();
    return {
      ...{ format: 'qemu-cbt-backup', version: 2, run, pit: randomUUID(), startedAt, finishedAt: startedAt },
      source: { kind: 'vm', name: `vm-${owner}`, uuid: null, owner: id },
      disks: disks
        .filter((_, place) => had[place])
        .map((key) => ({
          ...{ disk: key.slice(0, 3), key, sizeBytes: 512, epoch: null, changeId: null, base: null },
          ...{ verdict: 'full', reason: null, message: null, file: layerName(key, run) },
          sums: { file: sumsName(key, run), sha256: SUM, bytes: 0 },
          ...{ changedBytes: 0, storedBytes: 0, zeroBytes: 0 },
        })),
      failed: [],
    };
  });
}

async function withFolder<T>(manifests: readonly Manifest[], work: (path: string) => Promise<T>): Promise<T> {
  count += 1;
  const path = join(folder.path, `folder-${count}`);
  await mkdir(path);
  try {
    for (const manifest of manifests)
      await writeFile(join(path, manifestName(manifest.run)), formatManifest(manifest));
    return await work(path);
  } finally {
    await rm(path, { recursive: true });
  }
}

test(
  'for every disk what a folder of it alone would keep is kept, and nothing else',
  { timeout: 120_000 },
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(spec, { minLength: 1, maxLength: 12 }), rules, async (specs, given) => {
        const manifests = manifestsOf(specs);
        const expected = new Set<number>();
        for (const key of OWNERS.flatMap(({ disks }) => disks)) {
          const own = manifests.flatMap((run) => {
            const disks = run.disks.filter((disk) => disk.key === key);
            return disks.length === 0 ? [] : [{ ...run, disks }];
          });
          const alone = runsToKeep(own, given);
          expect(
            await withFolder(own, async (path) => keptRuns(await BackupFolder.read(path), given)),
          ).toEqual(alone);
          for (const run of alone) expected.add(run);
        }
        await withFolder(manifests, async (path) => {
          expect([...(await keptRuns(await BackupFolder.read(path), given))].sort()).toEqual(
            [...expected].sort(),
          );
          const listed = (await listRuns({ from: path, rules: given })).runs;
          expect(new Set(listed.filter(({ keptBy }) => keptBy?.length !== 0).map(({ run }) => run))).toEqual(
            expected,
          );
        });
      }),
      { numRuns: runs(60), seed: SEED },
    ),
);
