import { describe, expect, test } from 'vitest';
import { snapshot, startVm } from '../vsphere/support.js';
import { makeImage, open, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_Read', () => {
  test('reads whole sectors, as they are in the image', async () => {
    const handle = await open(
      await makeImage('a.qcow2', 1 << 20, ['write -P 7 1k 512', 'write -P 9 1048064 512']),
      READ_ONLY,
    );
    const buffer = Buffer.alloc(2048, 1);
    expect(await vix.VixDiskLib_Read(handle, 1, 3, buffer)).toBe(vix.VIX_OK);
    expect([buffer[511], buffer[512], buffer[1023], buffer[1024], buffer[1536]]).toEqual([0, 7, 7, 0, 1]);
    expect(await vix.VixDiskLib_Read(handle, 2047n, 1n, buffer)).toBe(vix.VIX_OK);
    expect(buffer[0]).toBe(9);
    expect(await vix.VixDiskLib_Read(handle, 2047, 2, buffer)).toBe(vix.VIX_E_DISK_OUTOFRANGE);
    expect(await vix.VixDiskLib_Read(handle, 2 ** 60, 1, buffer)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, 0, 5, buffer)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, 0, 1, null)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, -1, 1, buffer)).toBe(vix.VIX_E_INVALID_ARG);
    expect(await vix.VixDiskLib_Read(handle, 0, 0, buffer)).toBe(vix.VIX_OK);
  });
  test('from end to end of a snapshot, whatever the steps and the memory, it is what the guest had then', async () => {
    const { vm, daemon, service } = await startVm();
    const writes = Array.from({ length: 64 }, (_, i) => `write -P ${i + 1} ${i}M 1M`);
    await daemon.guestIo('d', ...writes);
    const { reference, taken } = await snapshot(vm);
    await daemon.guestIo('d', 'write -P 200 0 64M');
    vix.configureVixDiskLib({ service });
    const connection = ref<vix.VixDiskLibConnection>();
    const handle = ref<vix.VixDiskLibHandle>();
    expect(await vix.VixDiskLib_ConnectEx({ vmxSpec: 'web' }, true, reference.value, null, connection)).toBe(
      vix.VIX_OK,
    );
    expect(await vix.VixDiskLib_Open(connection.value!, 'd', READ_ONLY, handle)).toBe(vix.VIX_OK);
    const wanted = Buffer.concat(Array.from({ length: 64 }, (_, i) => Buffer.alloc(1 << 20, i + 1)));
    for (const [step, memory] of [
      [4096, new ArrayBuffer(4096 * 512)],
      [1001, new ArrayBuffer(1001 * 512)],
      [3000, new SharedArrayBuffer(3000 * 512)],
    ] as const) {
      const buffer = new Uint8Array(memory);
      const parts: Buffer[] = [];
      for (let at = 0; at < 131072; at += step) {
        const count = Math.min(step, 131072 - at);
        expect(await vix.VixDiskLib_Read(handle.value!, at, count, buffer)).toBe(vix.VIX_OK);
        parts.push(Buffer.from(buffer.slice(0, count * 512)));
      }
      expect(Buffer.concat(parts).equals(wanted)).toBe(true);
    }
    // Broken in the middle of reading ahead: what has been looked at is still right, the rest is an error.
    const piece = Buffer.alloc(1 << 20);
    const read = (n: number) => vix.VixDiskLib_Read(handle.value!, n * 2048, 2048, piece);
    for (const n of [0, 1, 2, 3]) expect(await read(n)).toBe(vix.VIX_OK);
    await daemon.process.control.execute('job-cancel', {
      id: `cbtj-${taken.session.replaceAll('-', '').slice(0, 16)}-0`,
    });
    let failed = 0;
    for (let n = 4; n < 64; n += 1) {
      if ((await read(n)) === vix.VIX_OK) expect(piece.every((byte) => byte === n + 1)).toBe(true);
      else failed += 1;
    }
    expect(failed).toBeGreaterThanOrEqual(40);
    await vix.VixDiskLib_Disconnect(connection.value!);
  });
});
