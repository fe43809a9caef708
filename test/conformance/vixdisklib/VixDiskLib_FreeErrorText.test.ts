import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_FreeErrorText', () => {
  test('takes a text, and NULL', () => {
    expect(vix.VixDiskLib_FreeErrorText('text')).toBeUndefined();
    expect(vix.VixDiskLib_FreeErrorText(null)).toBeUndefined();
  });
});
