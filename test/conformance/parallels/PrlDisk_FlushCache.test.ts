import { describe, expect, test } from 'vitest';
import { makeImage, open, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlDisk_FlushCache', () => {
  test('flushes a disk, also one that is only read, and refuses another handle', async () => {
    const { file } = await makeImage();
    expect(await prl.PrlDisk_FlushCache(await open(file))).toBe(0);
    expect(await prl.PrlDisk_FlushCache(5)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
