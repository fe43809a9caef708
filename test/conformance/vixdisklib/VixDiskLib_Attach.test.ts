import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Attach', () => {
  test('is there, and not supported', async () => {
    expect(await vix.VixDiskLib_Attach(null, null, null)).toBe(vix.VIX_E_NOT_SUPPORTED);
  });
});
