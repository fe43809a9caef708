import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_GetError', () => {
  test('tells why this job failed, and not why another one did', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    prl.configureLocalServer([{ name: 'a', qmpSocket: '/a' }]);
    expect(await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)))).toBe(0);
    const jobs = ['first', 'second'].map((name) => prl.PrlSrv_GetVmConfig(Number(server.value), name));
    for (const job of jobs) expect(await codeOf(job)).toBe(prl.PRL_ERR_VM_UUID_NOT_FOUND);
    for (const [n, name] of ['first', 'second'].entries()) {
      const error = ref<number>();
      expect(prl.PrlJob_GetError(jobs[n]!, error)).toBe(0);
      const event = Number(error.value);
      expect(await textOf((text, length) => prl.PrlEvent_GetErrString(event, 0, 0, text, length))).toContain(
        name,
      );
    }
  });
  test('a job that runs or succeeded has none', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const job = prl.PrlSrv_Logoff(Number(server.value));
    expect(prl.PrlJob_GetError(job, ref<number>())).toBe(prl.PRL_ERR_NO_DATA);
    expect(await codeOf(job)).toBe(0);
    expect(prl.PrlJob_GetError(job, ref<number>())).toBe(prl.PRL_ERR_NO_DATA);
  });
});
