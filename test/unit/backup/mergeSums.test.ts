/** The sums of two layers as one, against layers painted cluster by cluster. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coveringGrowth, mergeSums } from '../../../lib/backup/mergeSums.js';
import type { SumsEntry } from '../../../lib/backup/sums.js';

const C = 65_536;
const PER_ENTRY = 16;
const CLUSTERS = 48;
const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** What a layer holds of each cluster: nothing, zeros, or a pattern. */
type Cell = null | 0 | number;

function contentOf(cells: readonly Cell[], offset: number, length: number): Buffer {
  const data = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) data[at] = cells[Math.floor((offset + at) / C)] ?? 0;
  return data;
}

/** Entries as a copy writes them: runs of one kind, data cut at each MiB. */
function entriesOf(cells: readonly Cell[], sizeBytes: number): SumsEntry[] {
  const entries: SumsEntry[] = [];
  for (let i = 0; i * C < sizeBytes && i < cells.length; ) {
    const kind = (cell: Cell | undefined) => (cell == null ? 'none' : cell === 0 ? 'zero' : 'data');
    let end = i + 1;
    while (
      end < cells.length &&
      kind(cells[end]) === kind(cells[i]) &&
      (kind(cells[i]) !== 'data' || end % PER_ENTRY !== 0)
    )
      end += 1;
    const offset = i * C;
    const length = Math.min(end * C, sizeBytes) - offset;
    if (kind(cells[i]) !== 'none' && length > 0)
      entries.push({
        offset,
        length,
        sha256: kind(cells[i]) === 'zero' ? null : sha(contentOf(cells, offset, length)),
      });
    i = end;
  }
  return entries;
}

async function* batches(entries: SumsEntry[], size: number): AsyncGenerator<SumsEntry[]> {
  for (let i = 0; i < entries.length; i += size) yield entries.slice(i, i + size);
}

const cells = fc.array(fc.constantFrom<Cell>(null, null, 0, 1, 2, 2, 2), { maxLength: CLUSTERS });
const stretched = fc
  .array(fc.tuple(fc.constantFrom<Cell>(null, 0, 1, 2), fc.integer({ min: 1, max: 20 })), { maxLength: 8 })
  .map((runs) => runs.flatMap(([cell, count]) => Array<Cell>(count).fill(cell)).slice(0, CLUSTERS));

describe('merged sums', () => {
  test('say of every byte what the upper layer says, and where it is silent, what the lower one does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(cells, stretched),
        fc.oneof(cells, stretched),
        fc.integer({ min: 1, max: CLUSTERS }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        async (below, above, sizeClusters, batch, shortEnd) => {
          // The upper layer's size; the lower one's clusters behind it are gone. The last cluster may be short.
          const sizeBytes = sizeClusters * C - (shortEnd ? 512 : 0);
          const lower = entriesOf(below, CLUSTERS * C);
          const upper = entriesOf(above.slice(0, sizeClusters), sizeBytes);
          const merged: SumsEntry[] = [];
          const read = async (entry: SumsEntry) => contentOf(below, entry.offset, entry.length);
          for await (const entry of mergeSums(batches(lower, batch), batches(upper, batch), sizeBytes, read))
            merged.push(entry);
          const told = Array<string>(sizeClusters).fill('none');
          let end = 0;
          for (const { offset, length, sha256 } of merged) {
            expect(offset).toBeGreaterThanOrEqual(end);
            expect(length).toBeGreaterThan(0);
            end = offset + length;
            expect(end).toBeLessThanOrEqual(sizeBytes);
            for (let i = offset / C; i * C < end; i += 1) told[i] = sha256 === null ? 'zero' : 'data';
            if (sha256 === null) continue;
            const both = Array.from({ length: sizeClusters }, (_, i) => above[i] ?? below[i] ?? null);
            expect(sha256).toBe(sha(contentOf(both, offset, length)));
          }
          const expected = Array.from({ length: sizeClusters }, (_, i) => {
            const cell = above[i] ?? below[i] ?? null;
            return cell === null ? 'none' : cell === 0 ? 'zero' : 'data';
          });
          expect(told).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  const entry = (cluster: number, count = 1): SumsEntry => ({
    offset: cluster * C,
    length: count * C,
    sha256: sha(Buffer.from(String(cluster))),
  });

  test('need no byte of a piece that is whole, and that of others once', async () => {
    const asked: SumsEntry[] = [];
    const read = async (piece: SumsEntry): Promise<Buffer> => {
      asked.push(piece);
      return Buffer.alloc(piece.length);
    };
    const [whole, cut] = [entry(2, 2), entry(4, 5)];
    const merged: SumsEntry[] = [];
    const upper = [entry(6)];
    for await (const one of mergeSums(batches([whole, cut], 1), batches(upper, 1), 10 * C, read))
      merged.push(one);
    expect(asked).toEqual([cut]);
    expect(merged[0]).toEqual(whole);
    expect(merged.map(({ offset, length }) => [offset / C, length / C])).toEqual([
      [2, 2],
      [4, 2],
      [6, 1],
      [7, 2],
    ]);
  });

  test('let go of the upper layer’s file where nobody reads on', async () => {
    let open = true;
    async function* upper(): AsyncGenerator<SumsEntry[]> {
      try {
        yield [entry(0), entry(1)];
        yield [entry(2)];
      } finally {
        open = false;
      }
    }
    for await (const _ of mergeSums(batches([], 1), upper(), 3 * C, async () => Buffer.alloc(0))) break;
    expect(open).toBe(false);
  });
});

describe('growth', () => {
  const all = async (of: readonly [offset: number, length: number][], from: number, until: number) => {
    const entries = of.map(([offset, length]) => ({ offset, length, sha256: null }));
    const passed: SumsEntry[] = [];
    for await (const batch of coveringGrowth(batches(entries, 2), { from, until, path: '/sums' }))
      passed.push(...batch);
    expect(passed).toEqual(entries);
  };
  const missing = (offset: number) => ({
    code: 'ERR_CBT_CORRUPT_IMAGE',
    message: expect.stringContaining(`nothing of the bytes from ${offset} on`),
    details: { path: '/sums', offset },
  });

  test.each<[string, [number, number][], number, number]>([
    ['none', [], 4 * C, 4 * C],
    ['none, at an odd end', [], 4 * C - 512, 4 * C - 512],
    ['a shrink', [], 4 * C, 2 * C],
    ['a shrink within a cluster', [], 4 * C - 512, 4 * C - 1024],
    ['all of it told', [[4 * C, 4 * C]], 4 * C, 8 * C],
    [
      'told in pieces, and more before',
      [
        [0, C],
        [3 * C, 2 * C],
        [5 * C, C],
        [6 * C, 2 * C],
      ],
      4 * C,
      8 * C,
    ],
    [
      'from the middle of a cluster on',
      [
        [3 * C, C],
        [4 * C, C],
      ],
      4 * C - 512,
      5 * C,
    ],
    ['up to the middle of one', [[4 * C, C + 512]], 4 * C, 5 * C + 512],
  ])('%s passes', async (_, of, from, until) => {
    await all(of, from, until);
  });

  test.each<[string, [number, number][], number, number, number]>([
    ['nothing told', [], 4 * C, 8 * C, 4 * C],
    ['told short of the end', [[4 * C, 3 * C]], 4 * C, 8 * C, 7 * C],
    [
      'a hole in it',
      [
        [4 * C, C],
        [6 * C, 2 * C],
      ],
      4 * C,
      8 * C,
      5 * C,
    ],
    ['its first cluster not told', [[5 * C, 3 * C]], 4 * C, 8 * C, 4 * C],
    ['the cluster of the old end not told', [[4 * C, 4 * C]], 4 * C - 512, 8 * C, 3 * C],
    ['told before it alone', [[0, 4 * C]], 4 * C, 8 * C, 4 * C],
  ])('%s is damage', async (_, of, from, until, at) => {
    await expect(all(of, from, until)).rejects.toMatchObject(missing(at));
  });
});
