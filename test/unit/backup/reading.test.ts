import { expect, test } from 'vitest';
import { atRun } from '../../../lib/backup/reading.js';

const PIT = '11111111-2222-3333-4444-555555555555';

test('which run: the member that is given counts, and one of them alone', () => {
  for (const right of [
    'newest',
    { run: 3 },
    { pit: PIT },
    { run: undefined, pit: PIT },
    { run: 3, pit: undefined },
  ])
    expect(() => atRun(right, 'at')).not.toThrow();
  for (const [wrong, argument] of [
    [{}, 'at.pit'],
    [{ run: -1 }, 'at.run'],
    [{ run: 3, pit: PIT }, 'at.pit'],
    [null, 'at'],
  ])
    expect(() => atRun(wrong, 'at')).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ argument }) }),
    );
});
