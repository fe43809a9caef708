/** docs/differences.md, P8. */
import { expect, test } from 'vitest';
import { prl, textOf, useLibrary } from '../parallels/support.js';

useLibrary();

test('P8: a description that is not brief ends with the newest reason', async () => {
  expect(prl.PrlHandle_AddRef(4711)).toBe(prl.PRL_ERR_INVALID_ARG);
  const text = await textOf((buffer, length) =>
    prl.PrlApi_GetResultDescription(prl.PRL_ERR_INVALID_ARG, 0, 0, buffer, length),
  );
  expect(text).toBe('An argument is not valid. (PRL_ERR_INVALID_ARG): handle must be a live handle');
});
