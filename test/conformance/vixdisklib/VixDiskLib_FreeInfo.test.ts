import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_FreeInfo', () => {
  test('takes what GetInfo gave, and NULL', () => {
    expect(vix.VixDiskLib_FreeInfo(null)).toBeUndefined();
    expect(vix.VixDiskLib_FreeInfo(undefined)).toBeUndefined();
  });
});
