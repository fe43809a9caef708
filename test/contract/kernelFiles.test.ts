/** Data of raw files: exact where a kernel can see holes, all of the file where it cannot; never less than the data. */
import { closeSync, openSync, readSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernels } from '../helpers/kernels.js';
import { allPages } from '../helpers/shadow.js';
import { ScratchFile } from '../helpers/storedBits.js';

const ALL = Number.POSITIVE_INFINITY;
const MIB = 1 << 20;
const BLOCK = 65536;

describe.each(kernels)('$label: data of a file', ({ kernel }) => {
  const seesHoles = kernel.name === 'native';
  let sparse: ScratchFile;
  let empty: ScratchFile;

  // | data 64 KiB | hole | data 64 KiB at 1 MiB | hole to 3 MiB + 7 |
  beforeAll(async () => {
    sparse = await ScratchFile.make();
    empty = await ScratchFile.make();
    await sparse.putAt(0, new Uint8Array(BLOCK).fill(1));
    await sparse.putAt(MIB, new Uint8Array(BLOCK).fill(2));
    await sparse.truncate(3 * MIB + 7);
  });
  afterAll(async () => {
    await sparse.remove();
    await empty.remove();
  });

  it.each([
    {
      name: 'all of it',
      window: [0, 3 * MIB + 7],
      exact: [0, BLOCK, MIB, BLOCK],
      superset: [0, 3 * MIB + 7],
    },
    {
      name: 'up to a disk size behind its end',
      window: [0, 8 * MIB],
      exact: [0, BLOCK, MIB, BLOCK],
      superset: [0, 3 * MIB + 7],
    },
    { name: 'inside data', window: [5, 9], exact: [5, 4], superset: [5, 4] },
    { name: 'inside a hole', window: [2 * MIB, 2 * MIB + 9], exact: [], superset: [2 * MIB, 9] },
    { name: 'over the border of data', window: [MIB - 3, MIB + 3], exact: [MIB, 3], superset: [MIB - 3, 6] },
    { name: 'behind its end', window: [4 * MIB, 8 * MIB], exact: [], superset: [] },
    { name: 'at its end', window: [3 * MIB + 7, 2 ** 53 - 1], exact: [], superset: [] },
    { name: 'nowhere', window: [9, 9], exact: [], superset: [] },
  ])('$name', async ({ window, exact, superset }) => {
    const [startBytes = 0, endBytes = 0] = window;
    const ranges = Float64Array.from(seesHoles ? exact : superset);
    const page = await kernel.scanFileData(sparse.fd, { startBytes, endBytes, maxRanges: ALL });
    expect(page).toEqual({ ranges, startBytes, nextBytes: endBytes });
    const paged = await allPages((w) => kernel.scanFileData(sparse.fd, w), {
      startBytes,
      endBytes,
      maxRanges: 1,
    });
    expect(paged.page.ranges).toEqual(ranges);
  });

  it('finds nothing in an empty file', async () => {
    const page = await kernel.scanFileData(empty.fd, { startBytes: 0, endBytes: MIB, maxRanges: ALL });
    expect(page).toEqual({ ranges: new Float64Array(0), startBytes: 0, nextBytes: MIB });
  });

  it('takes what has no holes to tell for data throughout', async () => {
    const fd = openSync('/dev/zero', 'r');
    try {
      const page = await kernel.scanFileData(fd, { startBytes: 5, endBytes: MIB, maxRanges: ALL });
      expect(page.ranges).toEqual(Float64Array.of(5, MIB - 5));
    } finally {
      closeSync(fd);
    }
  });

  it('leaves the position of the descriptor where it is', async () => {
    const fd = openSync(sparse.path, 'r');
    try {
      const buffer = new Uint8Array(1);
      readSync(fd, buffer, 0, 1, null);
      await kernel.scanFileData(fd, { startBytes: MIB, endBytes: 3 * MIB, maxRanges: ALL });
      const rest = new Uint8Array(MIB + 1);
      expect(readSync(fd, rest, 0, rest.length, null)).toBe(rest.length);
      expect([rest[BLOCK - 2], rest[BLOCK - 1], rest[MIB - 1]]).toEqual([1, 0, 2]);
    } finally {
      closeSync(fd);
    }
  });
});
