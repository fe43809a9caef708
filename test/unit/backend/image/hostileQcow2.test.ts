/** Every field of a qcow2 image’s header, damaged one at a time: the refusal names field, value and limit, and the file is untouched. */
import { describe, expect, it } from 'vitest';
import {
  askAll,
  CLUSTER,
  CORRUPT,
  expectFault,
  ONE_BITMAP,
  SIZE,
  UNSUPPORTED,
} from '../../../helpers/hostileQcow2.js';
import { buildQcow2, EXTENSION, type HeaderField, setHeader } from '../../../helpers/qcow2Builder.js';
import { refusalOf } from '../../../helpers/refusal.js';

const MAX = Number.MAX_SAFE_INTEGER;

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
