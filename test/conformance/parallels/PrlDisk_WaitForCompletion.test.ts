import { describe, expect, test } from 'vitest';
import { makeImage, open, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_WaitForCompletion', () => {
  test('is not implemented, as in the SDK, and says first that a handle is none', async () => {
    const disk = await open((await makeImage()).file);
    expect(prl.PrlDisk_WaitForCompletion(disk)).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(prl.PrlDisk_WaitForCompletion(77)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
