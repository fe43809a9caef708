import { describe, expect, test } from 'vitest';
import { ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Cleanup', () => {
  test('has nothing to clean; both outputs may be NULL', () => {
    const [cleaned, remaining] = [ref<number>(), ref<number>()];
    expect(vix.VixDiskLib_Cleanup(null, cleaned, remaining)).toBe(vix.VIX_OK);
    expect([cleaned.value, remaining.value]).toEqual([0, 0]);
    expect(vix.VixDiskLib_Cleanup({}, null, null)).toBe(vix.VIX_OK);
  });
});
