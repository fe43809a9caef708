/** The size of a device by reading alone: exact for every size, in few reads. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findReadableBytes } from '../../../../lib/backend/image/deviceSize.js';

async function measure(sizeBytes: number): Promise<{ found: number | null; reads: number }> {
  let reads = 0;
  const found = await findReadableBytes(async (offset) => {
    reads += 1;
    return offset < sizeBytes;
  });
  return { found, reads };
}

describe('findReadableBytes', () => {
  it.each([0, 1, 511, 512, 513, 1023, 1024, 4096, 2 ** 20, 2 ** 41 + 512, 2 ** 52])(
    'finds %i',
    async (size) => {
      expect((await measure(size)).found).toBe(size);
    },
  );

  it('finds every size in at most 110 reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 52 }), async (size) => {
        const { found, reads } = await measure(size);
        expect(found).toBe(size);
        expect(reads).toBeLessThanOrEqual(110);
      }),
    );
  });

  it('gives up on a device without an end', async () => {
    expect((await measure(Number.POSITIVE_INFINITY)).found).toBeNull();
  });
});
