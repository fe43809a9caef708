import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { disks, snapshot, startVm } from '../vsphere/support.js';
import { makeImage, open, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Close', () => {
  test('closes after what is on its way, once', async () => {
    const handle = await open(await makeImage('a.qcow2', 8 << 20));
    const done: number[] = [];
    for (let i = 0; i < 8; i += 1)
      expect(
        vix.VixDiskLib_WriteAsync(
          handle,
          i * 2048,
          2048,
          Buffer.alloc(1 << 20, i + 1),
          (_, result) => done.push(result),
          null,
        ),
      ).toBe(vix.VIX_ASYNC);
    expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_OK);
    expect(done).toEqual(Array(8).fill(vix.VIX_OK));
    expect(await vix.VixDiskLib_Close(handle)).toBe(vix.VIX_E_INVALID_HANDLE);
    expect(await vix.VixDiskLib_Close(null)).toBe(vix.VIX_E_INVALID_HANDLE);
  });

  test('opening and closing again and again leaves nothing behind', async () => {
    const { vm, service } = await startVm();
    const { reference } = await snapshot(vm);
    vix.configureVixDiskLib({ service });
    const connection = ref<vix.VixDiskLibConnection>();
    expect(await vix.VixDiskLib_ConnectEx({ vmxSpec: 'web' }, true, reference.value, null, connection)).toBe(
      vix.VIX_OK,
    );
    const { fileName } = disks(vm)[0]!.backing;
    const rounds = async (n: number): Promise<void> => {
      for (let i = 0; i < n; i += 1) {
        const handle = ref<vix.VixDiskLibHandle>();
        expect(await vix.VixDiskLib_Open(connection.value!, fileName, 4, handle)).toBe(vix.VIX_OK);
        expect(await vix.VixDiskLib_Close(handle.value!)).toBe(vix.VIX_OK);
      }
    };
    await rounds(200);
    const descriptors = readdirSync('/proc/self/fd').length;
    const memory = process.memoryUsage.rss();
    await rounds(Number(process.env['ROUNDS'] ?? 1000));
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors + 2);
    expect(process.memoryUsage.rss() - memory).toBeLessThan(96 * 2 ** 20);
    expect(await vix.VixDiskLib_Disconnect(connection.value!)).toBe(vix.VIX_OK);
  }, 600_000);
});
