import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Wait', () => {
  test('with nothing on its way it is done at once', async () => {
    expect(await vix.VixDiskLib_Wait(await open(await makeImage(), READ_ONLY))).toBe(vix.VIX_OK);
    expect(await vix.VixDiskLib_Wait(null)).toBe(vix.VIX_E_INVALID_HANDLE);
  });
});
