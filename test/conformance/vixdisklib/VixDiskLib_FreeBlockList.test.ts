import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_FreeBlockList', () => {
  test('takes a list, and NULL', () => {
    expect(vix.VixDiskLib_FreeBlockList({ numBlocks: 0, blocks: [] })).toBe(vix.VIX_OK);
    expect(vix.VixDiskLib_FreeBlockList(null)).toBe(vix.VIX_OK);
  });
});
