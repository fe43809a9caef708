/** docs/differences.md, P1. */
import { expect, test } from 'vitest';
import { bitsOf, KIB64, makeImage, mapOf, open, useLibrary } from '../parallels/support.js';

useLibrary();

test('P1: pit2 is the later end of the map', async () => {
  const { file, pits } = await makeImage([[[0, 512]], [[KIB64, 512]], [[2 * KIB64, 512]]]);
  const disk = await open(file);
  expect(bitsOf(await mapOf(disk, pits[0]!, pits[2]!))).toEqual([0, 1]);
  expect(bitsOf(await mapOf(disk, pits[0]!))).toEqual([0, 1, 2]);
});
