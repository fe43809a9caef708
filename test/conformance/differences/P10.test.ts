/** docs/differences.md, P10. */
import { expect, test } from 'vitest';
import { KIB64, prl, useLibrary } from '../parallels/support.js';

useLibrary();

test('P10: a disk of too many granules has no map', async () => {
  expect(() => prl.DiskMap.requireCountable((2 ** 32 - 1) * KIB64, KIB64)).not.toThrow();
  expect(() => prl.DiskMap.requireCountable(2 ** 32 * KIB64, KIB64)).toThrow(
    expect.objectContaining({ result: prl.PRL_ERR_OUT_OF_MEMORY }),
  );
});
