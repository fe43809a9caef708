/** docs/differences.md, P11. */
import { expect, test } from 'vitest';
import { makeImage, open, prl, useLibrary } from '../parallels/support.js';

useLibrary();

test('P11: a freed handle is dead before the promise is done', async () => {
  const { file } = await makeImage();
  const disk = await open(file);
  const freeing = prl.PrlHandle_Free(disk);
  expect(prl.PrlHandle_AddRef(disk)).toBe(prl.PRL_ERR_INVALID_ARG);
  expect(await freeing).toBe(0);
});
