/** docs/differences.md, P4. */
import { expect, test } from 'vitest';
import { bitsOf, makeImage, mapOf, open, useLibrary } from '../parallels/support.js';

useLibrary();

test('P4: a qcow2 file has both maps', async () => {
  const { file, pits } = await makeImage();
  const disk = await open(file);
  expect(bitsOf(await mapOf(disk, null))).toEqual([0, 10]);
  expect(bitsOf(await mapOf(disk, pits[1]!))).toEqual([10]);
});
