/** Every field of a qcow2 image, damaged one at a time: the refusal names field, value and limit, and the file is untouched. */
import { createHash } from 'node:crypto';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../../lib/backend/image/imageSource.js';
import type { DiskState } from '../../../../lib/core/diskSource.js';
import type { CbtError } from '../../../../lib/core/errors.js';
import { blindKernel } from '../../../helpers/blindKernel.js';
import {
  type BuiltQcow2,
  buildQcow2,
  EXTENSION,
  type HeaderField,
  type Qcow2Spec,
  setEntry,
  setExtension,
  setHeader,
} from '../../../helpers/qcow2Builder.js';
import { withFolder } from '../../../helpers/qemuTools.js';
import { refusalOf } from '../../../helpers/refusal.js';

const SIZE = 1 << 20;
const CLUSTER = 1 << 16;
const MAX = Number.MAX_SAFE_INTEGER;
const ONE_BITMAP: Qcow2Spec = { size: SIZE, bitmaps: [{ name: 'b', dirty: [3], flags: 2 }] };
const OUTSIDE = 1n << 40n;

const sha = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** Everything there is to ask of an image; hands back the state, or throws. */
async function askAll(bytes: Buffer): Promise<DiskState> {
  return withFolder(async (folder) => {
    const path = join(folder, 'disk.qcow2');
    await writeFile(path, bytes);
    const before = await sha(path);
    const source = await openImage(path, { kernel: blindKernel(), format: 'qcow2' });
    try {
      const state = await source.state();
      const window = { startBytes: 0, endBytes: state.sizeBytes, maxRanges: Number.POSITIVE_INFINITY };
      await (await source.allocatedRanges()).page(window);
      for (const { name, problem, inconsistent } of state.layers[0]!.bitmaps) {
        if (problem === undefined && !inconsistent)
          await (await source.bitmapRanges([{ layer: 0, name }], 65536)).page(window);
      }
      return state;
    } finally {
      await source.close();
      expect(await sha(path)).toBe(before);
    }
  });
}

function expectFault(error: CbtError, code: string, field: string, value: unknown, limit: RegExp): void {
  expect(error.message).toContain(field);
  expect(error.message).toContain(String(value));
  expect(error.message).toMatch(limit);
  expect(error).toMatchObject({ code, details: { field, value } });
  expect(error.disk).toMatch(/disk\.qcow2$/);
}

const CORRUPT = 'ERR_CBT_CORRUPT_IMAGE';
const UNSUPPORTED = 'ERR_CBT_UNSUPPORTED';

describe('a header with one damaged field', () => {
  const cases: [HeaderField, number | bigint, string, RegExp][] = [
    ['version', 0, UNSUPPORTED, /2 or 3/],
    ['version', 4, UNSUPPORTED, /2 or 3/],
    ['cluster_bits', 8, CORRUPT, /9 to 21/],
    ['cluster_bits', 22, CORRUPT, /9 to 21/],
    ['cluster_bits', 0xffff_ffff, CORRUPT, /9 to 21/],
    ['size', BigInt(MAX) + 1n, UNSUPPORTED, /at most 9007199254740991/],
    ['size', (1n << 64n) - 1n, UNSUPPORTED, /at most 9007199254740991/],
    ['crypt_method', 3, UNSUPPORTED, /0, 1 \(AES\) or 2 \(LUKS\)/],
    ['l1_size', 0, CORRUPT, /at least 1 for a disk of 1048576 bytes/],
    ['l1_size', 4194305, CORRUPT, /at most 4194304/],
    ['l1_table_offset', 512, CORRUPT, /multiple of 65536/],
    ['l1_table_offset', (1n << 63n) + 65536n, CORRUPT, /multiple of 65536 below 2\^53/],
    ['refcount_table_offset', 65537, CORRUPT, /multiple of 65536/],
    ['refcount_table_clusters', 0, CORRUPT, /1 to 128/],
    ['refcount_table_clusters', 129, CORRUPT, /1 to 128/],
    ['nb_snapshots', 65537, CORRUPT, /at most 65536/],
    ['snapshots_offset', 1, CORRUPT, /multiple of 65536/],
    ['refcount_order', 7, CORRUPT, /at most 6/],
    ['header_length', 103, CORRUPT, /104 to 65536/],
    ['header_length', 65537, CORRUPT, /104 to 65536/],
    ['compression_type', 2, UNSUPPORTED, /0 \(zlib\) or 1 \(zstd\)/],
    ['compression_type', 1, CORRUPT, /0 as feature bit 3 is unset/],
    ['backing_file_offset', 65537, CORRUPT, /at most 65536/],
  ];
  it.each(cases)('refuses %s = %s', async (field, value, code, limit) => {
    const { bytes } = buildQcow2(ONE_BITMAP);
    setHeader(bytes, field, value);
    const shown = typeof value === 'bigint' && value > BigInt(MAX) ? value.toString() : Number(value);
    expectFault(await refusalOf(askAll(bytes)), code, field, shown, limit);
  });

  it('refuses a wrong magic when asked to read qcow2', async () => {
    const { bytes } = buildQcow2();
    setHeader(bytes, 'magic', 0x51464900);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'magic', '0x51464900', /0x514649fb/);
  });

  it('refuses an L1 table past the end of the file', async () => {
    const { bytes } = buildQcow2();
    setHeader(bytes, 'l1_table_offset', 1 << 30);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'L1 table', `${1 << 30}+8`, /inside the file of/);
  });

  it('refuses a backing name that does not end in the first cluster, or is longer than 1023 bytes', async () => {
    const { bytes } = buildQcow2();
    setHeader(bytes, 'backing_file_offset', 65530);
    setHeader(bytes, 'backing_file_size', 7);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'backing_file_size', 7, /at most 6/);
    setHeader(bytes, 'backing_file_offset', 4096);
    setHeader(bytes, 'backing_file_size', 1024);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'backing_file_size', 1024, /at most 1023/);
  });

  it('refuses extended L2 entries below 16 KiB clusters', async () => {
    const { bytes } = buildQcow2({ clusterBits: 12 });
    setHeader(bytes, 'incompatible_features', 1 << 4);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'cluster_bits', 12, /at least 14/);
  });

  it('refuses the compression bit without a compression type', async () => {
    const { bytes } = buildQcow2();
    setHeader(bytes, 'incompatible_features', 1 << 3);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'compression_type', 0, /other than 0/);
  });

  it.each([0, 1, 71, 72, 103])('refuses a file of %i bytes', async (length) => {
    const error = await refusalOf(askAll(buildQcow2().bytes.subarray(0, length)));
    expectFault(error, CORRUPT, 'file size', length, /at least (72|104)/);
  });

  it('takes any refcount width, sizes that are not whole sectors, and a longer header', async () => {
    for (const order of [0, 1, 2, 3, 4, 5, 6]) {
      const { bytes } = buildQcow2(ONE_BITMAP);
      setHeader(bytes, 'refcount_order', order);
      await expect(askAll(bytes)).resolves.toMatchObject({ sizeBytes: SIZE });
    }
    const odd = buildQcow2({ size: SIZE });
    setHeader(odd.bytes, 'size', SIZE - 1);
    await expect(askAll(odd.bytes)).resolves.toMatchObject({ sizeBytes: SIZE - 512 });
    const { bytes } = buildQcow2();
    bytes.fill(0, 112, 4096);
    setHeader(bytes, 'header_length', 4096);
    await expect(askAll(bytes)).resolves.toMatchObject({ sizeBytes: SIZE });
  });
});

describe('incompatible features', () => {
  it('names an unknown one by the name the image gives it', async () => {
    const table = Buffer.alloc(96);
    table.writeUInt8(1, 0);
    table.writeUInt8(5, 1);
    table.write('not this one: compatible', 2);
    table.writeUInt8(5, 49);
    table.write('quantum clusters', 50);
    const { bytes } = buildQcow2({ extensions: [{ type: EXTENSION.featureNames, data: table }] });
    setHeader(bytes, 'incompatible_features', (1n << 5n) | (1n << 63n));
    const error = await refusalOf(askAll(bytes));
    expect(error.code).toBe(UNSUPPORTED);
    expect(error.message).toMatch(/unknown incompatible feature bit 5 \("quantum clusters"\), bit 63$/);
    expect(error.details).toEqual({
      field: 'incompatible_features',
      value: '0x8000000000000020',
      limit: '0x1f',
    });
  });

  it('tells an unknown one even where the extensions are damaged', async () => {
    const { bytes } = buildQcow2({ extensions: [{ type: 0x12345678, data: Buffer.alloc(8) }] });
    bytes.writeUInt32BE(0xffff_fff0, 116);
    setHeader(bytes, 'incompatible_features', 1n << 40n);
    expect((await refusalOf(askAll(bytes))).message).toMatch(/unknown incompatible feature bit 40/);
  });

  it('refuses an image marked corrupt, reads a dirty one and notes it', async () => {
    const { bytes } = buildQcow2(ONE_BITMAP);
    setHeader(bytes, 'incompatible_features', 2);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, 'incompatible_features', '0x2', /qemu-img check/);
    setHeader(bytes, 'incompatible_features', 1);
    const { layers } = await askAll(bytes);
    expect(layers[0]).toMatchObject({
      bitmaps: [{ name: 'b' }],
      notes: [expect.stringMatching(/dirty bit/)],
    });
  });

  it('reads encrypted images and images with an external data file, and notes both', async () => {
    for (const [method, name] of [
      [1, 'aes'],
      [2, 'luks'],
    ] as const) {
      const { bytes } = buildQcow2(ONE_BITMAP);
      setHeader(bytes, 'crypt_method', method);
      const { layers } = await askAll(bytes);
      expect(layers[0]).toMatchObject({ bitmaps: [{ name: 'b' }], notes: [expect.stringContaining(name)] });
    }
    const { bytes } = buildQcow2(ONE_BITMAP);
    setHeader(bytes, 'incompatible_features', 4);
    expect((await askAll(bytes)).layers[0]!.notes).toEqual([expect.stringMatching(/external file/)]);
  });
});

describe('header extensions', () => {
  it('refuses one that passes the end of the first cluster', async () => {
    const { bytes } = buildQcow2({ extensions: [{ type: 0xabcdef01, data: Buffer.alloc(8) }] });
    bytes.writeUInt32BE(CLUSTER - 120 + 1, 116);
    const field = 'length of header extension 0xabcdef01';
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, field, CLUSTER - 119, /at most 65416/);
  });

  it('refuses one that passes the backing file name', async () => {
    const { bytes } = buildQcow2({
      backing: { name: '/b', format: 'raw' },
      extensions: [{ type: 0xabcdef01, data: Buffer.alloc(8) }],
    });
    bytes.writeUInt32BE(64, 132);
    const field = 'length of header extension 0xabcdef01';
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, field, 64, /at most 16/);
  });

  it.each([
    [EXTENSION.backingFormat, 16, 'length of header extension backing format', 16, /at most 15/],
    [EXTENSION.bitmaps, 16, 'length of header extension bitmaps', 16, /24/],
    [EXTENSION.bitmaps, 32, 'length of header extension bitmaps', 32, /24/],
    [EXTENSION.crypto, 16, 'header extension full disk encryption header', 'there', /absent/],
  ])('refuses extension %s of %i bytes', async (type, length, field, value, limit) => {
    const { bytes } = buildQcow2({ extensions: [{ type, data: Buffer.alloc(length) }] });
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, field, value, limit);
  });

  it.each([
    [Buffer.alloc(8), 'length of header extension full disk encryption header', 8, /16/],
    [
      Buffer.from('00000000000000010000000000000000', 'hex'),
      'offset in header extension full disk encryption header',
      1,
      /multiple of 65536/,
    ],
  ])('refuses a damaged encryption header', async (data, field, value, limit) => {
    const { bytes } = buildQcow2({ extensions: [{ type: EXTENSION.crypto, data }] });
    setHeader(bytes, 'crypt_method', 2);
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, field, value, limit);
  });

  it('refuses two of the same kind', async () => {
    const twice = { type: EXTENSION.dataFile, data: Buffer.from('data.raw') };
    const { bytes } = buildQcow2({ extensions: [twice, twice] });
    const field = 'header extension external data file name';
    expectFault(await refusalOf(askAll(bytes)), CORRUPT, field, 'there twice', /there once/);
  });
});

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
      expect(error.fullBackupNeeded).toBe(true);
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
