import { describe, expect, test } from 'vitest';
import { codeOf, prl, ref, useLibrary } from './support.js';

useLibrary();

describe('PrlSrv_LoginLocalEx', () => {
  test('logs in, whatever the flags', async () => {
    prl.configureLocalServer([{ name: 'a', qmpSocket: '/a' }]);
    const server = ref<number>();
    prl.PrlSrv_Create(server);
    expect(await codeOf(prl.PrlSrv_LoginLocalEx(Number(server.value), '', 0, prl.PSL_HIGH_SECURITY, 1))).toBe(
      0,
    );
    expect(await codeOf(prl.PrlSrv_GetVmList(Number(server.value)))).toBe(0);
  });
});
