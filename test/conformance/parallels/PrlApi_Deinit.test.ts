import { describe, expect, test } from 'vitest';
import { makeImage, open, prl, useLibrary } from './support.js';

useLibrary();

describe('PrlApi_Deinit', () => {
  test('the last one closes what is open; one too many says so', async () => {
    const { file } = await makeImage();
    const disk = await open(file);
    expect(await prl.PrlApi_Deinit()).toBe(0);
    expect(await prl.PrlApi_Deinit()).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
    expect(prl.PrlHandle_AddRef(disk)).toBe(prl.PRL_ERR_API_WASNT_INITIALIZED);
    expect(prl.PrlApi_Init(prl.VIRTUOZZO_API_VER)).toBe(0);
    expect(prl.PrlHandle_AddRef(disk)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
