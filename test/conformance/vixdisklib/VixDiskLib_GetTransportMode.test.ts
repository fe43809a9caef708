import { describe, expect, test } from 'vitest';
import { makeImage, open, READ_ONLY, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_GetTransportMode', () => {
  test('is file for an image; nothing for what is not open', async () => {
    expect(vix.VixDiskLib_GetTransportMode(await open(await makeImage(), READ_ONLY))).toBe('file');
    expect(vix.VixDiskLib_GetTransportMode(null)).toBeNull();
  });
});
