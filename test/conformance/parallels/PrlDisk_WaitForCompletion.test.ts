import { describe, expect, test } from 'vitest';
import { prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_WaitForCompletion', () => {
  test('is there and says that it is not implemented', () => {
    expect(prl.PrlDisk_WaitForCompletion(1, 0)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
  });
});
