import { describe, expect, test } from 'vitest';
import { startQemuSystem } from '../../helpers/qemuSystem.js';
import { codeOf, handleOf, prl, ref, startVm, textOf, useLibrary } from './support.js';

useLibrary();

describe('PrlVmCfg_GetUuid', () => {
  test('tells the UUID with braces, from the configuration or from QEMU', async () => {
    const { daemon, vm } = await startVm();
    await using _ = daemon;
    const uuidOf = (handle: number): Promise<string> =>
      textOf((text, length) => prl.PrlVmCfg_GetUuid(handle, text, length));
    expect(await uuidOf(vm)).toBe('{12345678-1234-4234-8234-123456789abc}');
    const uuid = 'abcdef01-2345-4678-89ab-cdef01234567';
    const qemu = await startQemuSystem(['-uuid', uuid]);
    try {
      prl.configureLocalServer([{ name: 'q', qmpSocket: qemu.file('qmp.sock') }]);
      const server = ref<number>();
      prl.PrlSrv_Create(server);
      await codeOf(prl.PrlSrv_LoginLocal(Number(server.value)));
      expect(await uuidOf(await handleOf(prl.PrlSrv_GetVmConfig(Number(server.value), uuid)))).toBe(
        `{${uuid}}`,
      );
    } finally {
      await qemu[Symbol.asyncDispose]();
    }
  });
});
