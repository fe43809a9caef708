import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Defragment', () => {
  test('is there, and not supported', async () => {
    expect(await vix.VixDiskLib_Defragment(null, null, null)).toBe(vix.VIX_E_NOT_SUPPORTED);
  });
});
