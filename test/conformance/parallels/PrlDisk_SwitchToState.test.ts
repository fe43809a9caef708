import { describe, expect, test } from 'vitest';
import { makeImage, open, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_SwitchToState', () => {
  test('is not implemented, as in the SDK, and says first what of its arguments is wrong', async () => {
    const disk = await open((await makeImage()).file);
    const state = '{12345678-1234-4234-8234-123456789abc}';
    expect(prl.PrlDisk_SwitchToState(disk, null, state)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(prl.PrlDisk_SwitchToState(disk, null, null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlDisk_SwitchToState(77, null, state)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
