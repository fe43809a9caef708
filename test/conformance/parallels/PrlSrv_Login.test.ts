import { describe, expect, test } from 'vitest';
import { codeOf, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_Login', () => {
  test('is there, and its job says that it is not implemented', async () => {
    expect(await codeOf(prl.PrlSrv_Login(1, 'host', null, null, null, 0, 0, 0))).toBe(
      prl.PRL_ERR_UNIMPLEMENTED,
    );
  });
});
