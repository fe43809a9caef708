/** A source while it is asked: one reading for many questions, and its end. */
import { appendFile, utimes, writeFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { ImageFile } from '../../../../lib/backend/image/imageFile.js';
import type { ChangeMap } from '../../../../lib/core/changeMap.js';
import type { CbtError } from '../../../../lib/core/errors.js';
import { TrackedDisk } from '../../../../lib/core/trackedDisk.js';
import { ALL, kernel, open, put, SIZE, useImageFolder } from '../../../helpers/openedImages.js';
import { buildQcow2, setEntry } from '../../../helpers/qcow2Builder.js';
import { refusalOf } from '../../../helpers/refusal.js';

useImageFolder();

describe('questions on one reading', () => {
  const BUSY = { code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' };
  const BITMAP = [{ layer: 0, name: 'b' }];

  /** Bytes that are read from any file from now on. */
  function countReads(): { bytes: number } {
    const reads = { bytes: 0 };
    const read = ImageFile.prototype.readUpTo;
    vi.spyOn(ImageFile.prototype, 'readUpTo').mockImplementation(async function (this: ImageFile, ...where) {
      const bytes = await read.apply(this, where);
      reads.bytes += bytes.length;
      return bytes;
    });
    return reads;
  }

  it('points in time are listed with what they need of the file, not with all of it for each', async () => {
    const epoch = '11111111-2222-4333-8444-555555555555';
    const list = async (count: number): Promise<number> => {
      const bitmaps = Array.from({ length: count }, (_, i) => ({
        name: `cbt1.${epoch}.${i + 1}.${SIZE}.00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
        flags: i === count - 1 ? 2 : 0,
      }));
      const disk = new TrackedDisk(await open(await put(`disk-${count}`, { bitmaps })), kernel);
      const reads = countReads();
      const { pits, problems } = await disk.pits();
      vi.restoreAllMocks();
      expect({ pits: pits.length, problems }).toEqual({ pits: count, problems: [] });
      return reads.bytes;
    };
    const [few, many] = [await list(10), await list(400)];
    // 390 more: each its directory entry, a few times, and its table. All of it for each would be 20 MB.
    expect(many - few).toBeLessThan(390 * 1024);
  });

  it('about all pairs of points are answered as single ones are, with what they need of the file', async () => {
    const epoch = '11111111-2222-4333-8444-555555555555';
    const pit = (i: number): string => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    const sizes = [SIZE, SIZE / 2, SIZE, SIZE];
    const bitmaps = sizes.map((size, i) => ({
      name: `cbt1.${epoch}.${i + 1}.${size}.${pit(i)}`,
      flags: i === sizes.length - 1 ? 2 : i === 1 ? 1 : 0,
    }));
    const disk = new TrackedDisk(await open(await put('chain', { bitmaps })), kernel);
    const pairs = sizes.flatMap((_, from) => [
      { from: pit(from) },
      ...sizes.map((_size, to) => ({ from: pit(from), to: pit(to) })),
    ]);
    const told = async (ask: Promise<ChangeMap>): Promise<unknown> =>
      ask.then(
        async (map) => ({
          map: [map.from, map.to, map.sizeBytes, map.granularityBytes, map.warnings],
          ranges: [...(await map.ranges())],
        }),
        ({ code, reason, message }: CbtError) => ({ code, reason, message }),
      );
    const single: unknown[] = [];
    for (const pair of pairs) single.push(await told(disk.changes(pair)));
    const together = await disk.onOneReading(async (changes) => {
      const all: unknown[] = [];
      for (const pair of pairs) all.push(await told(changes(pair)));
      return all;
    });
    expect(together).toEqual(single);
    expect(new Set(single.map((one) => (one as { reason?: string }).reason))).toContain('CRASHED');
    expect(single.filter((one) => 'ranges' in (one as object)).length).toBeGreaterThan(2);
  });

  it('answer as single ones do, and not for a bitmap that cannot be read', async () => {
    const source = await open(await put('disk', { bitmaps: [{ name: 'b' }, { name: 'c', flags: 1 }] }));
    const page = await source.onOneReading!(async (read) => (await read(BITMAP, 512)).page(ALL));
    expect(page).toEqual(await (await source.bitmapRanges(BITMAP, 512)).page(ALL));
    const crashed = source.onOneReading!((read) => read([{ layer: 0, name: 'c' }], 512));
    expect(await refusalOf(crashed)).toMatchObject({ reason: 'CRASHED' });
    const odd = source.onOneReading!((read) => read(BITMAP, 500));
    expect(await refusalOf(odd)).toMatchObject({ code: 'ERR_CBT_INVALID_ARGUMENT' });
  });

  it('are all refused when somebody wrote meanwhile, whatever the work made of it', async () => {
    const path = await put('disk', { bitmaps: [{ name: 'b' }] });
    const image = buildQcow2({ size: SIZE, bitmaps: [{ name: 'b' }] });
    await utimes(path, 1, 1);
    const source = await open(path);
    await source.state();
    const written = async (): Promise<void> => {
      setEntry(image, 0, 'flags', 2);
      await writeFile(path, image.bytes, { flag: 'r+' });
      // The time of change is put back: the bytes tell.
      await utimes(path, 1, 1);
    };
    setEntry(image, 0, 'flags', 1);
    await writeFile(path, image.bytes, { flag: 'r+' });
    await utimes(path, 1, 1);
    await source.state();
    expect(await refusalOf(source.onOneReading!(written))).toMatchObject(BUSY);
    expect(await refusalOf(source.onOneReading!(async () => 1))).toMatchObject(BUSY);
    await source.state();
    const failing = source.onOneReading!(async () => {
      await appendFile(path, 'x');
      throw new Error('looks damaged');
    });
    expect(await refusalOf(failing)).toMatchObject(BUSY);
    await source.state();
    kernel.onAsk = () => {
      kernel.writer = true;
    };
    expect(await refusalOf(source.onOneReading!(async () => 1))).toMatchObject(BUSY);
  });
});

describe('closing', () => {
  it('refuses every question afterwards, and is repeatable', async () => {
    const source = await open(await put('disk', { bitmaps: [{ name: 'b' }] }));
    const pager = await source.allocatedRanges();
    await source.close();
    await source.close();
    for (const asked of [
      () => source.state(),
      () => source.bitmapRanges([], 512),
      () => source.allocatedRanges(),
      () => pager.page(ALL),
    ]) {
      expect(await refusalOf(asked)).toMatchObject({ code: 'ERR_CBT_CLOSED' });
    }
  });

  it('waits for a page that is under way before it gives the descriptor back', async () => {
    const source = await open(await put('disk'));
    const pager = await source.allocatedRanges();
    let go = (): void => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    kernel.onAsk = (what) => (what === 'scanClusters' ? held : undefined);
    const page = pager.page(ALL);
    let closed = false;
    const closing = source.close().then(() => {
      closed = true;
    });
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    go();
    await expect(page).resolves.toBeDefined();
    await closing;
    expect(closed).toBe(true);
  });
});
