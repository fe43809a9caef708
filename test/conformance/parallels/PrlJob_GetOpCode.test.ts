import { describe, expect, test } from 'vitest';
import { prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_GetOpCode', () => {
  test('tells which operation a job does', () => {
    const code = ref<number>();
    expect(prl.PrlJob_GetOpCode(prl.PrlSrv_Logoff(77), code)).toBe(0);
    expect(code.value).toBe(prl.PJOC_SRV_LOGOFF);
    expect(prl.PrlJob_GetOpCode(prl.PrlVm_BeginBackup(77, 0), code)).toBe(0);
    expect(code.value).toBe(prl.PJOC_SRV_BEGIN_VM_BACKUP);
    expect(prl.PrlJob_GetOpCode(77, code)).toBe(prl.PRL_ERR_INVALID_ARG);
  });
});
