/** docs/differences.md, P7. */
import { expect, test } from 'vitest';
import { bitsOf, makeImage, mapOf, open, useLibrary } from '../parallels/support.js';

useLibrary();

test('P7: a UUID is the same in any spelling', async () => {
  const { file, pits } = await makeImage();
  const disk = await open(file);
  for (const spelled of [pits[1]!, `{${pits[1]!}}`, pits[1]!.toUpperCase().replaceAll('-', '')])
    expect(bitsOf(await mapOf(disk, spelled))).toEqual([10]);
});
