import { describe, expect, test } from 'vitest';
import { useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_ListTransportModes', () => {
  test('lists what there is', () => {
    expect(vix.VixDiskLib_ListTransportModes()).toBe('file:nbd');
  });
});
