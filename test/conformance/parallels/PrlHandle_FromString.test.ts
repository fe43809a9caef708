import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlHandle_FromString', () => {
  test('is not implemented; bad handles and NULL are refused first', () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    expect(prl.PrlHandle_FromString(Number(server.value), '<x/>')).toBe(prl.PRL_ERR_UNIMPLEMENTED);
    expect(prl.PrlHandle_FromString(Number(server.value), null)).toBe(prl.PRL_ERR_INVALID_ARG);
    expect(prl.PrlHandle_FromString(1, '<x/>')).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
