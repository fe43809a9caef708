/** Whatever bytes an image or a descriptor is made of: an answer in sound ranges, or a coded refusal; never a write. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../../lib/backend/image/imageSource.js';
import { CbtError } from '../../../../../lib/core/errors.js';
import { checkRanges } from '../../../../../lib/core/rangePage.js';
import { runs } from '../../../../helpers/effort.js';
import { descriptorText, hashOf, TOP_GUID, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { kernelWith, scratch } from './disks.js';

const LOW = '{11111111-0000-4000-8000-000000000000}';

interface Mutation {
  at: number;
  bytes: number[];
}

/** Single bits, single bytes, and words that arithmetic stumbles over. */
const bytes = fc.oneof(
  fc.array(fc.nat(255), { minLength: 1, maxLength: 4 }),
  fc.constantFrom(
    [0],
    [1],
    [0xff],
    [0xff, 0xff, 0xff, 0xff],
    Array<number>(8).fill(0xff),
    Array<number>(8).fill(0),
    [0, 0, 0, 0x80],
    [1, 0, 0, 0, 0, 0, 0, 0],
  ),
);

/** Asks everything there is to ask. */
async function askAll(path: string): Promise<void> {
  const source = await openImage(path, { kernel: kernelWith(), format: 'parallels' });
  try {
    const { layers, sizeBytes } = await source.state();
    const window = { startBytes: 0, endBytes: sizeBytes, maxRanges: 1000 };
    for (const [index, layer] of layers.entries()) {
      for (const { name, granularityBytes } of layer.bitmaps) {
        await answerOrRefusal(async () => {
          const pager = await source.bitmapRanges([{ layer: index, name }], granularityBytes);
          checkRanges('ranges', (await pager.page(window)).ranges);
        });
      }
    }
    for (const count of [undefined, ...layers.keys()]) {
      await answerOrRefusal(async () => {
        const { ranges } = await (await source.allocatedRanges(count)).page(window);
        checkRanges('ranges', ranges);
        if (ranges.length > 0) expect(ranges.at(-2)! + ranges.at(-1)!).toBeLessThanOrEqual(sizeBytes);
      });
    }
  } finally {
    await source.close();
  }
}

async function answerOrRefusal(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    expect(error.code).not.toBe('ERR_CBT_INTERNAL');
    expect(error.message.length).toBeLessThan(2000);
    JSON.stringify(error);
  }
}

function mutate(original: Buffer, mutations: readonly Mutation[], length: number | null): Buffer {
  const mutated = Buffer.from(original);
  for (const { at, bytes: patch } of mutations) Buffer.from(patch).copy(mutated, at % mutated.length);
  return length === null ? mutated : mutated.subarray(0, length % (mutated.length + 1));
}

describe('hostile bytes', () => {
  it('in an image', async () => {
    const folder = scratch();
    const built = writeHds(join(folder, 'good.hds'), {
      allocated: [0, 3, 4, 127],
      bitmaps: [
        { id: '00112233-4455-6677-8899-aabbccddeeff', granularitySectors: 1, bits: [0, 9, 1023] },
        { id: '10112233-4455-6677-8899-aabbccddeeff', bits: [7] },
        { id: '20112233-4455-6677-8899-aabbccddeeff', l1: [] },
      ],
    });
    const original = readFileSync(built.path);
    const { extensionOffset } = built;
    // Where a byte decides something: the header, the first entries of the BAT, the extension.
    const place = fc.oneof(
      { weight: 1, arbitrary: fc.nat(63) },
      { weight: 1, arbitrary: fc.integer({ min: 64, max: 100 }) },
      { weight: 6, arbitrary: fc.integer({ min: extensionOffset, max: extensionOffset + 260 }) },
      { weight: 1, arbitrary: fc.nat(original.length - 1) },
    );
    const path = join(folder, 'bad.hds');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ at: place, bytes }), { minLength: 1, maxLength: 4 }),
        fc.option(fc.nat(original.length), { freq: 9 }),
        fc.boolean(),
        async (mutations, length, sealed) => {
          const mutated = mutate(original, mutations, length);
          const cluster = mutated.subarray(extensionOffset, extensionOffset + 4096);
          if (sealed && cluster.length === 4096)
            createHash('md5').update(cluster.subarray(24)).digest().copy(cluster, 8);
          writeFileSync(path, mutated);
          await answerOrRefusal(() => askAll(path));
          expect(readFileSync(path).equals(mutated)).toBe(true);
        },
      ),
      { numRuns: runs(1000) },
    );
  });

  it('in a descriptor', async () => {
    const folder = join(scratch(), 'd.hdd');
    mkdirSync(folder);
    writeHds(join(folder, 'root.hds'), { allocated: [1] });
    writeHds(join(folder, 'top.hds'), { allocated: [2], bitmaps: [{ bits: [1] }] });
    const hashes = [hashOf(join(folder, 'root.hds')), hashOf(join(folder, 'top.hds'))];
    const images = [
      { guid: LOW, file: 'root.hds' },
      { guid: TOP_GUID, file: 'top.hds', parent: LOW },
    ];
    const text = descriptorText({ images, topGuid: TOP_GUID });
    const piece = fc.constantFrom(
      '<',
      '>',
      '&',
      '&#0;',
      '&#x110000;',
      ']]>',
      '<![CDATA[',
      '<!--',
      '<?x',
      '../../..',
      '/',
      '\0',
      '9'.repeat(30),
      '-',
      '{',
      'Plain',
      TOP_GUID,
      LOW,
      '<Storage>',
      '</Image>',
      'é',
      '\ud800',
    );
    const values = [...text.matchAll(/>([^<>\s]+)</g)].map(
      ({ index, 1: value }) => [index + 1, value!.length] as const,
    );
    // Anywhere in the text, or a value as a whole, so that the text stays well-formed and its meaning is what breaks.
    const edit = fc.oneof(
      fc.record({ at: fc.nat(text.length), cut: fc.nat(30), put: piece }),
      fc.tuple(fc.constantFrom(...values), piece).map(([[at, cut], put]) => ({ at, cut, put })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 2 }), async (edits) => {
        let edited = text;
        // From the back, so that the places of the others hold.
        for (const { at, cut, put } of [...edits].sort((x, y) => y.at - x.at))
          edited = edited.slice(0, at) + put + edited.slice(Math.min(at + cut, edited.length));
        writeFileSync(join(folder, 'DiskDescriptor.xml'), edited);
        await answerOrRefusal(() => askAll(folder));
      }),
      { numRuns: runs(600) },
    );
    expect([hashOf(join(folder, 'root.hds')), hashOf(join(folder, 'top.hds'))]).toEqual(hashes);
  });
});
