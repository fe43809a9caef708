/** Every field of a qcow2 image’s bitmaps and tables, damaged one at a time: the refusal names field, value and limit. */
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../lib/backend/image/imageSource.js';
import { blindKernel } from '../../../helpers/blindKernel.js';
import {
  askAll,
  CLUSTER,
  CORRUPT,
  expectFault,
  ONE_BITMAP,
  SIZE,
  UNSUPPORTED,
} from '../../../helpers/hostileQcow2.js';
import {
  type BuiltQcow2,
  buildQcow2,
  type Qcow2Spec,
  setEntry,
  setExtension,
  setHeader,
} from '../../../helpers/qcow2Builder.js';
import { withFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

const OUTSIDE = 1n << 40n;

describe('the bitmaps extension', () => {
  it.each([
    ['nb_bitmaps', 0, 'nb_bitmaps', 0, /1 to 65535/],
    ['nb_bitmaps', 65536, 'nb_bitmaps', 65536, /1 to 65535/],
    ['nb_bitmaps', 2, 'nb_bitmaps', 2, /1, the entries of the directory/],
    ['reserved', 9, 'reserved field of header extension bitmaps', 9, /must be 0/],
    ['bitmap_directory_size', 0, 'bitmap_directory_size', 0, /1 to 67107840/],
    ['bitmap_directory_size', 67107841, 'bitmap_directory_size', 67107841, /1 to 67107840/],
    ['bitmap_directory_offset', 0, 'bitmap_directory_offset', 0, /positive multiple of 65536/],
    ['bitmap_directory_offset', 4096, 'bitmap_directory_offset', 4096, /positive multiple of 65536/],
    [
      'bitmap_directory_offset',
      OUTSIDE,
      'end of the bitmap directory',
      Number(OUTSIDE) + 32,
      /the size of the file/,
    ],
  ] as const)('refuses %s = %s', async (damaged, set, field, value, limit) => {
    const image = buildQcow2(ONE_BITMAP);
    setExtension(image, damaged, set);
    expectFault(await refusalOf(askAll(image.bytes)), CORRUPT, field, value, limit);
  });

  it('refuses a directory that ends inside an entry, or after the last one', async () => {
    for (const [length, field] of [
      [23, 'end of bitmap directory entry 1'],
      [31, 'end of bitmap directory entry 1 (extra_data_size 0, name_size 1)'],
      [33, 'bitmap_directory_size'],
      [64, 'bitmap_directory_size'],
    ] as const) {
      const image = buildQcow2(ONE_BITMAP);
      setExtension(image, 'bitmap_directory_size', length);
      expect(await refusalOf(askAll(image.bytes))).toMatchObject({ code: CORRUPT, details: { field } });
    }
  });

  it('refuses two bitmaps of one name', async () => {
    const { bytes } = buildQcow2({ size: SIZE, bitmaps: [{ name: 'twin' }, { name: 'twin' }] });
    expectFault(
      await refusalOf(askAll(bytes)),
      CORRUPT,
      'name of bitmap directory entry 2',
      '"twin"',
      /unlike every other/,
    );
  });

  it('voids all bitmaps when the autoclear bit is unset, and says who did it', async () => {
    const { bytes } = buildQcow2(ONE_BITMAP);
    setHeader(bytes, 'autoclear_features', 2);
    const { layers } = await askAll(bytes);
    expect(layers[0]).toMatchObject({ bitmaps: [], problem: { reason: 'MISSING' } });
    expect(layers[0]!.problem!.message).toMatch(
      /autoclear_features is 0x2, must have bit 0 set: a program without bitmap support/,
    );
  });

  it('finds no bitmaps in version 2, and says so', async () => {
    const { bytes } = buildQcow2({ version: 2 });
    const { layers } = await askAll(bytes);
    expect(layers[0]).toMatchObject({ bitmaps: [], problem: { reason: 'FORMAT' } });
    expect(layers[0]!.problem!.message).toMatch(/version is 2, must be 3 to hold bitmaps/);
  });

  it('finds no problem where there is no bitmap', async () => {
    const { layers } = await askAll(buildQcow2().bytes);
    expect(layers).toEqual([{ label: layers[0]!.label, sizeBytes: SIZE, format: 'qcow2', bitmaps: [] }]);
  });
});

describe('one bad bitmap beside a good one', () => {
  const PAIR: Qcow2Spec = {
    size: SIZE,
    bitmaps: [
      { name: 'bad', dirty: [1] },
      { name: 'good', dirty: [2], flags: 2 },
    ],
  };

  async function expectProblem(
    image: BuiltQcow2,
    field: string,
    value: unknown,
    limit: RegExp,
  ): Promise<void> {
    const [bad, good] = (await askAll(image.bytes)).layers[0]!.bitmaps;
    expect(good).toEqual({
      name: 'good',
      granularityBytes: 65536,
      recording: true,
      inconsistent: false,
      persistent: true,
      busy: false,
    });
    const reason = field === 'granularity_bits' ? 'GRANULARITY' : 'FORMAT';
    expect(bad!.problem).toMatchObject({ reason });
    expect(bad!.problem!.message).toContain(`${field} is ${value}, must be`);
    expect(bad!.problem!.message).toMatch(limit);
    await withFolder(async (folder) => {
      const path = join(folder, 'disk.qcow2');
      await writeFile(path, image.bytes);
      const source = await openImage(path, { kernel: blindKernel() });
      const error = await refusalOf(source.bitmapRanges([{ layer: 0, name: bad!.name }], 65536));
      expect(error).toMatchObject({ reason, details: { field } });
      expect(error.recovery).toBe('full');
      await source.close();
    });
  }

  it.each([
    ['bitmap_table_offset', 0, 'bitmap_table_offset', 0, /positive multiple of 65536/],
    ['bitmap_table_offset', 1, 'bitmap_table_offset', 1, /positive multiple of 65536/],
    ['bitmap_table_offset', 1n << 62n, 'bitmap_table_offset', '4611686018427387904', /below 2\^53/],
    ['bitmap_table_offset', OUTSIDE, 'end of the bitmap table', Number(OUTSIDE) + 8, /the size of the file/],
    ['bitmap_table_size', 0, 'bitmap_table_size', 0, /1 to 8192/],
    ['bitmap_table_size', 8193, 'bitmap_table_size', 8193, /1 to 8192/],
    ['bitmap_table_size', 2, 'bitmap_table_size', 2, /1 for a disk of 1048576 bytes/],
    ['flags', 8, 'flags', '0x8', /at most 0x7/],
    ['flags', 0x80000000, 'flags', '0x80000000', /at most 0x7/],
    ['type', 0, 'type', 0, /1 \(dirty tracking\)/],
    ['type', 2, 'type', 2, /1 \(dirty tracking\)/],
    ['granularity_bits', 8, 'granularity_bits', 8, /9 to 31/],
    ['granularity_bits', 32, 'granularity_bits', 32, /9 to 31/],
  ] as const)('keeps %s = %s to the bad one', async (damaged, set, field, value, limit) => {
    const image = buildQcow2(PAIR);
    setEntry(image, 0, damaged, set);
    await expectProblem(image, field, value, limit);
  });

  it('keeps a name that is missing, too long, no UTF-8, or holds a NUL, to the bad one', async () => {
    for (const [name, field, limit] of [
      [Buffer.alloc(0), 'name_size', /1 to 1023/],
      [Buffer.alloc(1024, 'x'), 'name_size', /1 to 1023/],
      [Buffer.from([0x62, 0xff]), 'name', /UTF-8/],
      [Buffer.from('b\0d'), 'name', /free of NUL/],
    ] as const) {
      const image = buildQcow2({ size: SIZE, bitmaps: [{ name, dirty: [1] }, PAIR.bitmaps![1]!] });
      const problem = (await askAll(image.bytes)).layers[0]!.bitmaps[0]!.problem!;
      expect(problem.message).toContain(`: ${field} is`);
      expect(problem.message).toMatch(limit);
    }
  });

  it('takes the longest name there may be, and any UTF-8', async () => {
    const names = ['x'.repeat(1023), 'é€𝄞', ' ', '{A-B}', '\u{feff}mark'];
    const { bytes } = buildQcow2({ size: SIZE, bitmaps: names.map((name) => ({ name })) });
    const { bitmaps } = (await askAll(bytes)).layers[0]!;
    expect(bitmaps.map((bitmap) => [bitmap.name, bitmap.problem])).toEqual(
      names.map((name) => [name, undefined]),
    );
  });

  it('follows the format on extra data: usable only where the entry says so', async () => {
    const extra = Buffer.from('whatever');
    const image = buildQcow2({ size: SIZE, bitmaps: [{ name: 'bad', extra }, PAIR.bitmaps![1]!] });
    await expectProblem(image, 'extra_data_size', 8, /0 unless flag extra_data_compatible is set/);
    setEntry(image, 0, 'flags', 4);
    const { bitmaps } = (await askAll(image.bytes)).layers[0]!;
    expect(bitmaps[0]).toMatchObject({ name: 'bad', inconsistent: false });
    expect(bitmaps[0]!.problem).toBeUndefined();
  });

  it('calls a bitmap in use inconsistent, whatever the size of its table', async () => {
    const image = buildQcow2(PAIR);
    setEntry(image, 0, 'flags', 3);
    setEntry(image, 0, 'bitmap_table_size', 2);
    const { bitmaps } = (await askAll(image.bytes)).layers[0]!;
    expect(bitmaps[0]).toMatchObject({ name: 'bad', inconsistent: true, recording: true });
    expect(bitmaps[0]!.problem).toBeUndefined();
  });
});

describe('tables', () => {
  it.each([
    [0x1feen, /zero in bits 1 to 8 and 56 to 63/],
    [1n << 56n, /zero in bits 1 to 8 and 56 to 63/],
    [(3n << 16n) | 1n, /an offset or bit 0, not both/],
    [512n, /a multiple of 65536/],
    [OUTSIDE, /a cluster before the end of the file/],
    [0xff_ffff_ffff_0000n, /a cluster before the end of the file/],
  ])('refuses bitmap table entry %s before anything is told', async (entry, limit) => {
    const { bytes } = buildQcow2({ size: SIZE, bitmaps: [{ name: 'b', table: [entry] }] });
    const error = await refusalOf(askAll(bytes));
    expect(error).toMatchObject({ code: CORRUPT, details: { field: 'bitmap table entry 0' } });
    expect(error.message).toMatch(limit);
  });

  it('refuses a table entry of which any part is past the end of the file', async () => {
    const image = buildQcow2({ size: SIZE, bitmaps: [{ name: 'b', table: [0n] }] });
    const { bytes, at } = image;
    const whole = bytes.length;
    const cases: [number, number, boolean][] = [
      [whole - CLUSTER, whole, true],
      [whole, whole, false],
      [whole - CLUSTER, whole - 1, false],
    ];
    for (const [table, field] of [
      [at.tables[0]!, 'bitmap table entry 0'],
      [at.l1, 'L1 table entry 0'],
    ] as const) {
      for (const [offset, length, sound] of cases) {
        const damaged = Buffer.from(bytes);
        damaged.writeBigUInt64BE(BigInt(offset), table);
        const asked = askAll(damaged.subarray(0, length));
        if (sound) await expect(asked).resolves.toBeDefined();
        else
          expect(await refusalOf(asked)).toMatchObject({ code: CORRUPT, details: { field, value: offset } });
      }
    }
  });

  it('takes all zeros and all ones', async () => {
    for (const entry of [0n, 1n]) {
      const { bytes } = buildQcow2({ size: SIZE, bitmaps: [{ name: 'b', table: [entry] }] });
      await expect(askAll(bytes)).resolves.toBeDefined();
    }
  });

  it.each([
    [1n, /zero in bits 0 to 8 and 56 to 62/],
    [1n << 62n, /zero in bits 0 to 8 and 56 to 62/],
    [512n, /a multiple of 65536/],
    [OUTSIDE, /a cluster before the end of the file/],
  ])('refuses L1 entry %s', async (entry, limit) => {
    const { bytes, at } = buildQcow2();
    bytes.writeBigUInt64BE(entry, at.l1);
    const error = await refusalOf(askAll(bytes));
    expect(error).toMatchObject({ code: CORRUPT, details: { field: 'L1 table entry 0' } });
    expect(error.message).toMatch(limit);
  });

  it('refuses more table entries in one query than any disk needs, before it reads one', async () => {
    // 2 TiB at 512 bytes is the 512 MiB of bits that QEMU allows: 2^17 entries of 4 KiB clusters each.
    const bitmaps = Array.from({ length: 129 }, (_, i) => ({
      name: `b${i}`,
      table: [0n],
      granularityBits: 9,
    }));
    const image = buildQcow2({ clusterBits: 12, bitmaps });
    bitmaps.forEach((_, i) => {
      setEntry(image, i, 'bitmap_table_offset', 2 ** 28 + i * 2 ** 20);
      setEntry(image, i, 'bitmap_table_size', 2 ** 17);
    });
    setHeader(image.bytes, 'size', 2n ** 41n);
    setHeader(image.bytes, 'l1_size', 2 ** 20);
    setHeader(image.bytes, 'l1_table_offset', 2 ** 29);
    await withFolder(async (folder) => {
      const path = join(folder, 'disk.qcow2');
      await writeFile(path, image.bytes);
      await truncate(path, 2 ** 30);
      const source = await openImage(path, { kernel: blindKernel() });
      try {
        const state = await source.state();
        expect(state.layers[0]!.bitmaps.filter(({ problem }) => problem !== undefined)).toEqual([]);
        const refs = bitmaps.map(({ name }) => ({ layer: 0, name }));
        const error = await refusalOf(source.bitmapRanges(refs, 512));
        expectFault(
          error,
          UNSUPPORTED,
          'bitmap table entries of one query',
          129 * 2 ** 17,
          /at most 16777216/,
        );
        await expect(source.bitmapRanges(refs.slice(0, 3), 512)).resolves.toBeDefined();
      } finally {
        await source.close();
      }
    });
  });
});
