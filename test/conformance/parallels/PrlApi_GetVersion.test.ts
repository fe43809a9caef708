import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_GetVersion', () => {
  test('tells the version, and refuses NULL', () => {
    const version = ref<number>();
    expect(prl.PrlApi_GetVersion(version)).toBe(0);
    expect(version.value).toBe(0x70000);
    expect(prl.PrlApi_GetVersion(null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
