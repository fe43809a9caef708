/**
 * Folders of every shape and every damage, against a model and against QEMU: what `verify` calls sound restores byte for byte,
 * before and after a prune; and whatever happened to a folder, a restore never hands out other bytes than were backed up.
 *
 * FLIPS=all turns every bit of every file of a folder of small clusters; EFFORT=n tries n times as much of everything.
 */
import { execFile } from 'node:child_process';
import { cp, open, readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prune } from '../../../lib/backup/prune.js';
import { verify } from '../../../lib/backup/verify.js';
import { CbtError } from '../../../lib/core/errors.js';
import { runs } from '../../helpers/effort.js';
import { seededRandom } from '../../helpers/guestWriter.js';
import { makeLayerFolder, type RunSpec, readRuns } from '../../helpers/layerFolder.js';
import { makeTemporaryFolder, qemuImg, type TemporaryFolder } from '../../helpers/qemuTools.js';
import { SEED } from '../../helpers/seed.js';

const C = 65_536;
const MOST = 24;
let folder: TemporaryFolder;
let count = 0;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

const cell = fc.constantFrom<null | number>(null, null, null, 0, 1, 2, 3);
/** Grown, shrunk, or as it was; ends of clusters, of sectors, and in between. */
const size = fc
  .tuple(fc.integer({ min: 1, max: MOST }), fc.constantFrom(0, 512, 1536, C / 2, C - 512))
  .map(([clusters, less]) => Math.max(512, clusters * C - less));
const spec: fc.Arbitrary<RunSpec> = fc.record({
  sizeBytes: size,
  cells: fc.array(cell, { maxLength: MOST }),
});
const specs = fc.array(spec, { minLength: 2, maxLength: 5 });

async function withSpecs(
  all: readonly RunSpec[],
  work: (path: string, contents: Map<number, Buffer>) => Promise<void>,
) {
  count += 1;
  const path = join(folder.path, `folder-${count}`);
  try {
    await work(path, await makeLayerFolder(path, all));
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

/** Every run that is there restores to what it held. */
async function expectWhole(path: string, contents: ReadonlyMap<number, Buffer>): Promise<number[]> {
  const found = await readRuns(path);
  for (const [run, content] of found) {
    if (content instanceof Error) throw content;
    expect(content.equals(contents.get(run) as Buffer), `run ${run}`).toBe(true);
  }
  return [...found.keys()];
}

describe('folders of disks that grow and shrink', () => {
  test('read the same as the model and as QEMU, are called sound, and stay so when they are pruned', async () => {
    await fc.assert(
      fc.asyncProperty(specs, fc.integer({ min: 1, max: 3 }), (all, last) =>
        withSpecs(all, async (path, contents) => {
          expect(await expectWhole(path, contents)).toHaveLength(all.length);
          const raw = join(folder.path, 'qemu.raw');
          const inQemu = async (run: number): Promise<void> => {
            await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', join(path, `disk-00000${run}.qcow2`), raw);
            expect((await readFile(raw)).equals(contents.get(run) as Buffer), `run ${run} in QEMU`).toBe(
              true,
            );
          };
          await inQemu(all.length);
          expect(await verify({ from: path })).toMatchObject({ problems: [], notes: [] });
          await prune({ from: path, rules: { last } });
          expect(await expectWhole(path, contents)).toHaveLength(Math.min(last, all.length));
          expect((await verify({ from: path })).problems).toEqual([]);
          await inQemu(all.length);
        }),
      ),
      { numRuns: runs(10) },
    );
  });
});

/** A folder whose runs have every kind of cluster in them. */
const SAMPLE: RunSpec[] = [
  { sizeBytes: 6 * C - 512, cells: [1, 2, null, 3, 0, 1] },
  { sizeBytes: 8 * C, cells: [null, 3, 0, null, null, 2, 1, 0] },
  { sizeBytes: 5 * C + 1024, cells: [2, null, null, 0, 3, null] },
];

const SMALL_CLUSTER_BYTES = 512;
/** Whole, grown, zeroed and shrunk, in so few bytes that every bit can be turned. */
const SMALL: RunSpec[] = [
  { sizeBytes: 2048, cells: [1] },
  { sizeBytes: 3072, cells: [2] },
  { sizeBytes: 3072, cells: [0] },
  { sizeBytes: 1536, cells: [3] },
];
const ALL_FLIPS = process.env['FLIPS'] === 'all';

type Damage = (path: string, names: readonly string[], pick: (below: number) => number) => Promise<void>;

const damages: Record<string, Damage> = {
  'a bit turned': async (path, names, pick) => {
    const file = join(path, names[pick(names.length)] ?? '');
    await flip(file, pick(8 * (await stat(file)).size));
  },
  'cut short': async (path, names, pick) => {
    const file = join(path, names[pick(names.length)] ?? '');
    await truncate(file, pick((await stat(file)).size));
  },
  'zeros in the middle': async (path, names, pick) => {
    const file = join(path, names[pick(names.length)] ?? '');
    const { size: bytes } = await stat(file);
    await overwrite(file, pick(bytes), Buffer.alloc(Math.min(1 + pick(2 * C), bytes)), bytes);
  },
  longer: async (path, names, pick) => {
    const file = join(path, names[pick(names.length)] ?? '');
    await truncate(file, (await stat(file)).size + 1 + pick(C));
  },
  gone: async (path, names, pick) => rm(join(path, names[pick(names.length)] ?? '')),
  'two exchanged': async (path, names, pick) => {
    const [a, b] = [names[pick(names.length)] ?? '', names[pick(names.length)] ?? ''];
    await rename(join(path, a), join(path, 'third'));
    if (a !== b) await rename(join(path, b), join(path, a));
    await rename(join(path, 'third'), join(path, b));
  },
  'one in another’s place': async (path, names, pick) => {
    const [a, b] = [names[pick(names.length)] ?? '', names[pick(names.length)] ?? ''];
    if (a !== b) await cp(join(path, a), join(path, b));
  },
  'a piece of one in another': async (path, names, pick) => {
    const [a, b] = [names[pick(names.length)] ?? '', names[pick(names.length)] ?? ''];
    const from = await readFile(join(path, a));
    const { size: bytes } = await stat(join(path, b));
    const at = C * pick(Math.ceil(from.length / C));
    await overwrite(join(path, b), C * pick(Math.ceil(bytes / C)), from.subarray(at, at + C), bytes);
  },
};

async function flip(file: string, bit: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, bit >> 3);
    byte[0] = (byte[0] ?? 0) ^ (1 << (bit & 7));
    await handle.write(byte, 0, 1, bit >> 3);
  } finally {
    await handle.close();
  }
}

async function overwrite(file: string, at: number, data: Buffer, end: number): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(data.subarray(0, Math.max(0, end - at)), 0, undefined, at).finally(() => handle.close());
}

/** Nothing but a refusal or the bytes that were backed up; all of those where `verify` calls the folder sound. */
async function expectHonest(
  path: string,
  contents: ReadonlyMap<number, Buffer>,
  what: string,
): Promise<boolean> {
  const found = await expectRefusedOrRight(path, contents, what);
  if (found === null) return false;
  await prune({ from: path, rules: { last: 1 } });
  const [last] = await expectWhole(path, contents);
  expect([...found.keys()], what).toContain(last);
  return true;
}

/** The same without a prune: the folder stays as it is. What it holds where it is called sound, else null. */
async function expectRefusedOrRight(
  path: string,
  contents: ReadonlyMap<number, Buffer>,
  what: string,
): Promise<Map<number, Buffer | Error> | null> {
  const found = await readRuns(path);
  for (const [run, content] of found) {
    if (content instanceof Error) expect(content, `${what}, run ${run}`).toBeInstanceOf(CbtError);
    else expect(content.equals(contents.get(run) as Buffer), `${what}, run ${run}`).toBe(true);
  }
  const sound = await verify({ from: path }).then(
    ({ problems }) => problems.length === 0,
    (error: unknown) => {
      expect(error, what).toBeInstanceOf(CbtError);
      return false;
    },
  );
  if (!sound) return null;
  // Sound and short of a run: whoever takes a whole run away takes what nobody can see.
  for (const content of found.values()) expect(content, what).toBeInstanceOf(Buffer);
  return found;
}

describe('damage', () => {
  let whole: string;
  let contents: Map<number, Buffer>;
  let names: string[];
  beforeAll(async () => {
    whole = join(folder.path, 'whole');
    contents = ALL_FLIPS
      ? await makeLayerFolder(whole, SMALL, SMALL_CLUSTER_BYTES)
      : await makeLayerFolder(whole, SAMPLE);
    names = (await readdir(whole)).sort();
  });

  async function damagedBy(make: (path: string) => Promise<unknown>, what: string): Promise<boolean> {
    count += 1;
    const path = join(folder.path, `damaged-${count}`);
    await promisify(execFile)('cp', ['-a', whole, path]);
    try {
      await make(path);
      return await expectHonest(path, contents, what);
    } finally {
      await rm(path, { recursive: true });
    }
  }

  test.each(Object.keys(damages))('of a folder: %s', async (name) => {
    const make = damages[name] as Damage;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 2 ** 31 - 1 }), { minLength: 6, maxLength: 6 }),
        async (numbers) => {
          let i = 0;
          const pick = (below: number): number => (numbers[i++ % numbers.length] ?? 0) % Math.max(1, below);
          await damagedBy((path) => make(path, names, pick), `${name} ${numbers.join(' ')}`);
        },
      ),
      { numRuns: runs(6) },
    );
  });

  test('every bit: verify sees it, or it makes no difference', async () => {
    const files = await Promise.all(
      names.map(async (name) => ({ name, bits: 8 * (await stat(join(whole, name))).size })),
    );
    const seen = new Map(names.map((name) => [name, 0]));
    const tried = new Map(names.map((name) => [name, 0]));
    const at = async (name: string, bit: number): Promise<void> => {
      const what = `bit ${bit} of ${name}`;
      tried.set(name, (tried.get(name) ?? 0) + 1);
      // In place, and back: only what goes unnoticed costs a copy.
      await flip(join(whole, name), bit);
      const noticed = (await expectRefusedOrRight(whole, contents, what)) === null;
      await flip(join(whole, name), bit);
      if (noticed) seen.set(name, (seen.get(name) ?? 0) + 1);
      else expect(await damagedBy((path) => flip(join(path, name), bit), what), what).toBe(true);
    };
    if (ALL_FLIPS)
      for (const { name, bits } of files) {
        for (let bit = 0; bit < bits; bit += 1) await at(name, bit);
        console.log(`${name}: ${bits} bits, ${seen.get(name)} noticed`);
      }
    else {
      // As many in each file as in any other, and the headers and tables of layers as often as their data.
      const random = seededRandom(SEED);
      for (let i = 0; i < runs(40); i += 1) {
        const { name, bits } = files[i % files.length] ?? { name: '', bits: 0 };
        const end = i % 2 === 0 && name.endsWith('.qcow2') ? 8 * 128 : bits;
        await at(name, random(Math.min(end, bits)));
      }
    }
    for (const name of names.filter((one) => !one.endsWith('.qcow2')))
      expect(seen.get(name), name).toBe(tried.get(name));
  }, 86_400_000);
});
