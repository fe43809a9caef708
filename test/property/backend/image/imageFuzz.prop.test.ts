/**
 * Damaged images: whatever the bytes are, every question ends in ranges inside the disk or in a coded refusal, soon and in
 * bounded memory, and the file stays as it was. Where QEMU still reads a damaged image, no dirty block of its answer is missing.
 */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openImage } from '../../../../lib/backend/image/imageSource.js';
import type { BitmapKernel } from '../../../../lib/core/bitmapKernel.js';
import { CbtError } from '../../../../lib/core/errors.js';
import { checkRanges, type RangePager } from '../../../../lib/core/rangePage.js';
import { runs } from '../../../helpers/effort.js';
import { dirtyOf, everyKernel, withImage } from '../../../helpers/imageQuestions.js';
import { dirtyExtents, type Extent, opensInQemu, qemuImg, qemuIo } from '../../../helpers/qemuTools.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const MIB = 2 ** 20;
/** Above the caps of the reader (128 MiB of table entries, 64 MiB of directory) with all that Node keeps around them. */
const MAX_GROWTH_BYTES = 768 * MIB;
const MAX_RUN_MS = 20_000;

/** One place of the image and what is written there; places are drawn where metadata is more often than not. */
interface Damage {
  /** Which structure of the image, as a fraction of the list of its metadata clusters. */
  cluster: number;
  /** Byte in the cluster; small ones more often. */
  at: number;
  bytes: Uint8Array;
}

const interesting = fc.oneof(
  fc
    .constantFrom(
      '00',
      'ff',
      '7fffffffffffffff',
      '8000000000000000',
      'ffffffffffffffff',
      '0000000000000001',
      '0000000000000200',
      '0000000000010000',
      '0000000100000000',
      '00ffffffffffff00',
      '80000000',
      '7fffffff',
    )
    .map((text) => Uint8Array.from(Buffer.from(text, 'hex'))),
  fc.uint8Array({ minLength: 1, maxLength: 8 }),
);

const damage: fc.Arbitrary<Damage> = fc.record({
  cluster: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  at: fc.oneof(
    fc.nat(160),
    fc.nat(255).map((n) => n * 8),
    fc.nat(65535),
  ),
  bytes: interesting,
});

interface Sample {
  path: string;
  bytes: Buffer;
  clusterBytes: number;
  /** Cluster numbers that hold more than one kind of byte: headers, tables, bits. */
  metadata: number[];
}

let temporary: TemporaryFolder;
let samples: Sample[];
let kernels: BitmapKernel[];

beforeAll(async () => {
  kernels = await everyKernel();
  temporary = await makeTemporaryFolder();
  const { path } = temporary;
  samples = [
    await makeSample(path, 'small', 4096, ['-o', 'cluster_size=4k']),
    await makeSample(path, 'usual', 65536, []),
    await makeSample(path, 'extended', 16384, ['-o', 'cluster_size=16k,extended_l2=on']),
    await makeSample(path, 'tiny', 512, ['-o', 'cluster_size=512']),
  ];
});

afterAll(() => temporary.remove());

async function makeSample(
  folder: string,
  name: string,
  clusterBytes: number,
  options: string[],
): Promise<Sample> {
  const path = join(folder, name);
  await qemuImg('create', '-q', '-f', 'qcow2', ...options, path, `${3 * MIB + 512}`);
  await qemuImg('bitmap', '--add', '-g', '512', path, 'fine');
  await qemuImg('bitmap', '--add', '-g', '65536', path, 'coarse');
  await qemuIo(['-f', 'qcow2', path], 'write 0 4k', 'write 1M 20k', 'write -z 2M 64k', 'write 3M 512');
  await qemuImg('bitmap', '--add', '--disable', '-g', '4096', path, 'disabled');
  const bytes = await readFile(path);
  const metadata: number[] = [];
  for (let cluster = 0; cluster * clusterBytes < bytes.length; cluster += 1) {
    const content = bytes.subarray(cluster * clusterBytes, (cluster + 1) * clusterBytes);
    if (content.some((byte) => byte !== content[0])) metadata.push(cluster);
  }
  return { path, bytes, clusterBytes, metadata };
}

/** Runs with a damaged image in place of the sound one. */
async function damaged<T>(
  sample: Sample,
  damages: readonly Damage[],
  cut: number | null,
  work: (path: string, bytes: Buffer) => Promise<T>,
): Promise<T> {
  const bytes = Buffer.from(sample.bytes);
  for (const { cluster, at, bytes: wrong } of damages) {
    const number = sample.metadata[Math.floor(cluster * sample.metadata.length)]!;
    const offset = number * sample.clusterBytes + (at % sample.clusterBytes);
    Buffer.from(wrong).copy(bytes, offset, 0, Math.max(0, bytes.length - offset));
  }
  const whole = cut === null ? bytes : bytes.subarray(0, Math.floor(cut * bytes.length));
  const path = `${sample.path}.damaged`;
  await writeFile(path, whole);
  return work(path, whole);
}

async function askEverything(path: string, kernel: BitmapKernel, format?: 'qcow2'): Promise<void> {
  const source = await openImage(path, { kernel, ...(format && { format }) });
  try {
    const state = await source.state();
    const layer = state.layers[0]!;
    const read = async (pager: RangePager): Promise<void> => {
      const window = { startBytes: 0, endBytes: state.sizeBytes, maxRanges: 10_000 };
      const page = await pager.page(window);
      checkRanges('ranges', page.ranges);
      const last = page.ranges.length - 2;
      if (last >= 0) expect(page.ranges[last]! + page.ranges[last + 1]!).toBeLessThanOrEqual(state.sizeBytes);
    };
    for (const { name } of layer.bitmaps.slice(0, 4)) {
      await coded(async () => read(await source.bitmapRanges([{ layer: 0, name }], 512)));
    }
    await coded(async () => read(await source.allocatedRanges()));
    await coded(async () => read(await source.allocatedRanges(1)));
  } finally {
    await source.close();
  }
}

/** Lets coded refusals pass; anything else is a fault of ours. */
async function coded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (
      !(error instanceof CbtError) ||
      error.code === 'ERR_CBT_INTERNAL' ||
      error.code === 'ERR_CBT_INVALID_ARGUMENT'
    ) {
      throw error;
    }
  }
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('damaged qcow2 images', () => {
  it('end in an answer or a coded refusal, soon and in bounded memory, unchanged', async () => {
    const before = process.resourceUsage().maxRSS * 1024;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3),
        fc.array(damage, { minLength: 1, maxLength: 4 }),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 12 }),
        fc.boolean(),
        async (which, damages, cut, told) => {
          await damaged(samples[which]!, damages, cut, async (path, bytes) => {
            for (const kernel of kernels) {
              const started = performance.now();
              await coded(() => askEverything(path, kernel, told ? 'qcow2' : undefined));
              expect(performance.now() - started).toBeLessThan(MAX_RUN_MS);
            }
            expect(sha(await readFile(path))).toBe(sha(bytes));
          });
        },
      ),
      { numRuns: runs(500) },
    );
    expect(process.resourceUsage().maxRSS * 1024 - before).toBeLessThan(MAX_GROWTH_BYTES);
  });

  it('never tell less than QEMU, where QEMU reads them too', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(3),
        fc.array(damage, { minLength: 1, maxLength: 2 }),
        async (which, damages) => {
          await damaged(samples[which]!, damages, null, async (path) => {
            for (const name of ['fine', 'coarse']) {
              const found = await answerOf(path, name);
              if (found === null) continue;
              const expected = await dirtyByQemu(path, name);
              if (expected === null) continue;
              compared += 1;
              for (const kernelAnswer of found) expect(kernelAnswer).toEqual(expected);
            }
          });
        },
      ),
      { numRuns: runs(40) },
    );
    expect(compared).toBeGreaterThan(5);
  });
});

async function answerOf(path: string, name: string): Promise<Extent[][] | null> {
  try {
    const answers: Extent[][] = [];
    for (const kernel of kernels)
      answers.push(await withImage(path, kernel, (source) => dirtyOf(source, [name]), 'qcow2'));
    return answers;
  } catch (error) {
    if (error instanceof CbtError) return null;
    throw error;
  }
}

/** Null where QEMU refuses the image. */
async function dirtyByQemu(path: string, name: string): Promise<Extent[] | null> {
  const imageArgs = ['-f', 'qcow2', path];
  return (await opensInQemu(imageArgs)) ? dirtyExtents(name, imageArgs) : null;
}
