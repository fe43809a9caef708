import { describe, expect, test } from 'vitest';
import { prl, useLibrary } from './support.js';

useLibrary();

describe('PrlBuffer_Free', () => {
  test('takes a buffer, and refuses NULL', () => {
    expect(prl.PrlBuffer_Free(Buffer.alloc(3))).toBe(0);
    expect(prl.PrlBuffer_Free(null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
