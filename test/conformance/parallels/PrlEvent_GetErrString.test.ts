import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlEvent_GetErrString', () => {
  test('says what was wrong, also to who may not read the newest reason any more', async () => {
    const job = prl.PrlSrv_Logoff(77);
    expect(await codeOf(job)).toBe(prl.PRL_ERR_INVALID_ARG);
    const event = ref<number>();
    expect(prl.PrlJob_GetError(job, event)).toBe(0);
    prl.PrlApi_GetVersion(null);
    const text = await textOf((buffer, length) =>
      prl.PrlEvent_GetErrString(Number(event.value), 0, 0, buffer, length),
    );
    expect(text).toContain('server');
    expect(prl.PrlEvent_GetErrString(Number(event.value), 0, 0, null, null)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
