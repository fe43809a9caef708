import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlJob_IsRequestWasSent', () => {
  test('not where the arguments were refused, or there is no such work', async () => {
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    const wasSent = async (job: number): Promise<number | undefined> => {
      await codeOf(job);
      const box = ref<number>();
      expect(prl.PrlJob_IsRequestWasSent(job, box)).toBe(0);
      return box.value;
    };
    expect(await wasSent(prl.PrlSrv_Logoff(77))).toBe(prl.PRL_FALSE);
    expect(await wasSent(prl.PrlSrv_Logoff(Number(server.value)))).toBe(prl.PRL_TRUE);
  });
});
