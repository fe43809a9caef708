import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Init', () => {
  test('initialises as InitEx does', () => {
    vix.VixDiskLib_Exit();
    expect(vix.VixDiskLib_Init(1, 0, null, null, null, null)).toBe(vix.VIX_OK);
    expect(vix.VixDiskLib_Init(0, 0, null, null, null, null)).toBe(vix.VIX_E_INVALID_ARG);
  });
});
