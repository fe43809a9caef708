/**
 * Lives of a disk that somebody else tracks: bitmaps made at any time, snapshots with and without copies of them, commits,
 * layers of other lengths. No answer "since that bitmap" may miss a block. (The known limit is left out: the layer of the
 * bitmap itself is not resized, because a bitmap of others does not tell the size at its start.)
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planChanges } from '../../../lib/core/changeQuery.js';
import { CbtError } from '../../../lib/core/errors.js';
import { ModelDisk } from '../../helpers/modelDisk.js';

const NAMES = ['backup', 'other'] as const;

type Step =
  | { do: 'write'; block: number }
  | { do: 'track'; name: (typeof NAMES)[number] }
  | { do: 'pause'; name: (typeof NAMES)[number] }
  | { do: 'snapshot'; copies: boolean; blocks: number }
  | { do: 'resize'; blocks: number }
  | { do: 'commit' };

const name = fc.constantFrom(...NAMES);
const blocks = fc.integer({ min: 1, max: 12 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('write' as const), block: fc.nat(11) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('track' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshot' as const), copies: fc.boolean(), blocks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resize' as const), blocks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
);

function live(steps: readonly Step[]): number {
  const disk = new ModelDisk(8);
  const fresh = (called: string) => ({
    name: called,
    recording: true,
    inconsistent: false,
    blocks: new Set<number>(),
  });
  const taken: { made: ReturnType<typeof fresh>; contents: number[] }[] = [];
  for (const s of steps) {
    const { bitmaps } = disk.top;
    switch (s.do) {
      case 'write':
        disk.write(s.block);
        break;
      case 'track': {
        if (bitmaps.some((bitmap) => bitmap.name === s.name)) break;
        const made = fresh(s.name);
        bitmaps.push(made);
        taken.push({ made, contents: disk.contents() });
        break;
      }
      case 'pause': {
        const found = bitmaps.find((bitmap) => bitmap.name === s.name);
        if (found !== undefined) found.recording = false;
        break;
      }
      case 'snapshot': {
        const copied = s.copies ? bitmaps.filter((b) => b.recording).map((b) => fresh(b.name)) : [];
        disk.overlay();
        disk.top.bitmaps.push(...copied);
        // Longer or shorter than what it lies over, which is fine as long as nobody resizes it under its bitmaps.
        disk.top.blocks = s.blocks;
        break;
      }
      case 'resize':
        if (bitmaps.length === 0) disk.resize(s.blocks);
        break;
      case 'commit':
        // A commit resizes the base to its overlay: the limit above.
        if (disk.layers[1]?.blocks === disk.top.blocks || disk.layers[1]?.bitmaps.length === 0) disk.commit();
        break;
    }
  }
  const now = disk.contents();
  let answered = 0;
  for (const { made, contents } of taken) {
    const called = made.name;
    // Gone with its layer, its name may mean a later bitmap by now.
    if (!disk.layers.some((layer) => layer.bitmaps.includes(made))) continue;
    let changed: Set<number>;
    try {
      changed = disk.answer(planChanges(disk.state(), { kind: 'name', name: called }, null));
    } catch (error) {
      if (error instanceof CbtError && error.recovery === 'full') continue;
      throw error;
    }
    now.forEach((content, block) => {
      if (content !== (contents[block] ?? 0) && !changed.has(block)) {
        throw new Error(
          `block ${block} changed from ${contents[block] ?? 0} to ${content} since ${called}, unseen`,
        );
      }
    });
    answered += 1;
  }
  return answered;
}

test('no answer since a bitmap of others misses a block, whatever is put above it', () => {
  let answered = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => {
      answered += live(steps);
    }),
    { numRuns: 3000 },
  );
  expect(answered).toBeGreaterThan(1000);
});
