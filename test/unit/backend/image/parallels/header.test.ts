import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseHeader } from '../../../../../lib/backend/image/parallels/header.js';
import { type HdsSpec, hashOf, writeHds } from '../../../../helpers/parallelsBuilder.js';
import { refusal, refusalOf } from '../../../../helpers/refusal.js';
import { openDisk, scratch, stateOf } from './disks.js';

const OLD = 'WithoutFreeSpace';

describe('the header', () => {
  it('reads both magics: BAT units and sizes differ', () => {
    const folder = scratch();
    const read = (spec: HdsSpec) => {
      const { path, fileBytes } = writeHds(join(folder, 'a.hds'), spec);
      return parseHeader('a.hds', readFileSync(path), fileBytes);
    };
    expect(read({ clusterSectors: 128, diskSectors: 1000 })).toMatchObject({
      clusterBytes: 65536,
      batUnitSectors: 128,
      sizeBytes: 512_000,
      batEntries: 8,
      dataOffSectors: 128,
    });
    expect(read({ magic: OLD, clusterSectors: 63, diskSectors: 1000, dataOff: 0 })).toMatchObject({
      clusterBytes: 32_256,
      batUnitSectors: 1,
      sizeBytes: 512_000,
      batEntries: 16,
      dataOffSectors: 1,
    });
  });

  it('takes the largest disk whose byte offsets are exact', async () => {
    const sectors = 2 ** 44 - 1;
    const { path } = writeHds(join(scratch(), 'a.hds'), {
      clusterSectors: 4186127,
      diskSectors: sectors,
      batEntries: 4202497,
    });
    expect((await stateOf(path)).sizeBytes).toBe(sectors * 512);
  });

  it('takes a disk of no size', async () => {
    const { path } = writeHds(join(scratch(), 'a.hds'), { diskSectors: 0 });
    expect((await stateOf(path)).sizeBytes).toBe(0);
  });

  const refused: [string, HdsSpec, string, string, string | number, string | number | RegExp][] = [
    [
      'a wrong magic',
      { magic: 'WithoutFreeSpacf' },
      'CORRUPT_IMAGE',
      'magic',
      '0x576974686f7574467265655370616366',
      /WithouFreSpacExt/,
    ],
    ['another version', { version: 3 }, 'UNSUPPORTED', 'version', 3, 2],
    [
      'a cluster of no sectors',
      { clusterSectors: 8, bat: new Map(), fileBytes: 8192, batEntries: 0, diskSectors: 8 },
      'CORRUPT_IMAGE',
      'nb_bat_entries',
      0,
      'at least 1 for 8 sectors',
    ],
    [
      'a BAT longer than the file',
      { batEntries: 2000, fileBytes: 8000 },
      'CORRUPT_IMAGE',
      'nb_bat_entries',
      2000,
      /at most 1984/,
    ],
    [
      'a BAT that the format forbids',
      { batEntries: 2 ** 29 },
      'UNSUPPORTED',
      'nb_bat_entries',
      2 ** 29,
      'at most 536870911',
    ],
    [
      'a BAT shorter than the disk',
      { batEntries: 127 },
      'CORRUPT_IMAGE',
      'nb_bat_entries',
      127,
      'at least 128 for 1024 sectors',
    ],
    [
      'a disk of 2^53 bytes',
      { diskSectors: 2n ** 44n, batEntries: 1 },
      'UNSUPPORTED',
      'nb_sectors',
      2 ** 44,
      /at most 17592186044415/,
    ],
    [
      'a disk of 2^64 - 1 sectors',
      { diskSectors: 2n ** 64n - 1n, batEntries: 1 },
      'UNSUPPORTED',
      'nb_sectors',
      '18446744073709551615',
      /at most 17592186044415/,
    ],
    [
      'an old image with a 33-bit size',
      { magic: OLD, diskSectors: 2n ** 32n, batEntries: 1 },
      'CORRUPT_IMAGE',
      'nb_sectors',
      2 ** 32,
      /at most 4294967295/,
    ],
    [
      'a data offset inside the BAT',
      { dataOff: 0 },
      'CORRUPT_IMAGE',
      'data_off',
      0,
      /multiple of 8 from 2 on/,
    ],
    [
      'a data offset off the cluster',
      { dataOff: 12 },
      'CORRUPT_IMAGE',
      'data_off',
      12,
      /multiple of 8 from 2 on/,
    ],
    [
      'an old data offset inside the BAT',
      { magic: OLD, dataOff: 1, fileBytes: 8192 },
      'CORRUPT_IMAGE',
      'data_off',
      1,
      '0, or at least 2, the end of the BAT',
    ],
    ['a file without a header', { fileBytes: 63 }, 'CORRUPT_IMAGE', 'header', '0+64', /63 bytes/],
  ];
  it.each(refused)('refuses %s', async (_what, spec, code, field, value, limit) => {
    const { path } = writeHds(join(scratch(), 'a.hds'), spec);
    const before = hashOf(path);
    const source = await openDisk(path);
    for (const ask of [
      () => source.state(),
      () => source.allocatedRanges(),
      () => source.bitmapRanges([{ layer: 0, name: 'x' }], 512),
    ]) {
      const error = await refusalOf(ask);
      expect(error.code).toBe(`ERR_CBT_${code}`);
      expect(error.details).toMatchObject({ field, value });
      if (limit instanceof RegExp) expect(error.details['limit']).toMatch(limit);
      else expect(error.details['limit']).toBe(limit);
      expect(error.message).toContain(String(value));
      expect(error.disk).toBe(path);
    }
    expect(hashOf(path)).toBe(before);
  });

  it.each([0, 4186128, 0xffff_ffff])('refuses a cluster of %i sectors', (clusterSectors) => {
    const { path } = writeHds(join(scratch(), 'a.hds'));
    const bytes = readFileSync(path);
    bytes.writeUInt32LE(clusterSectors, 28);
    const error = refusal(() => parseHeader(path, bytes, bytes.length));
    expect(error.code).toBe('ERR_CBT_CORRUPT_IMAGE');
    expect(error.details).toMatchObject({ value: clusterSectors, limit: '1 to 4186127' });
  });
});
