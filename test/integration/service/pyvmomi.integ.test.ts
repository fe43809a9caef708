/** The sentence that the service is for: a program written with pyVmomi for vCenter, unmodified, does its loop on a running QEMU. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { KIB64, MIB, startVm } from '../../conformance/vsphere/support.js';
import { PASSWORD, serve } from '../../helpers/vim/service.js';
import { Stepper } from '../../helpers/vim/stepper.js';

const LOOP = fileURLToPath(new URL('./loop.py', import.meta.url));

interface Point {
  changeId: string;
  areas: [number, number][];
  names: string[];
  left: boolean;
}

test('pyVmomi logs in, finds the VM, tracks it, and is told exactly what the guest wrote', async () => {
  const { service: facade, daemon } = await startVm();
  const { port, notes } = await serve(facade);
  const client = new Stepper('/usr/bin/python3', [
    LOOP,
    '127.0.0.1',
    String(port),
    'backup',
    PASSWORD,
    'web',
  ]);
  expect(await client.next()).toMatchObject({
    power: 'poweredOn',
    tracking: false,
    capacity: 64 * MIB,
    moref: 'vm-1',
  });

  expect(await client.step('enable')).toEqual({ tracking: true });
  await daemon.guestIo('d', `write -P 1 ${MIB} 64k`, `write -P 2 ${5 * MIB} 128k`);
  const full = await client.step<Point>('point *');
  expect(full).toMatchObject({ names: ['backup'], left: false });
  expect(full.areas).toEqual([
    [MIB, KIB64],
    [5 * MIB, 2 * KIB64],
  ]);
  await daemon.guestIo('d', `write -P 3 ${9 * MIB} 64k`);
  const first = await client.step<Point>(`point ${full.changeId}`);
  expect(first.areas).toEqual([[9 * MIB, KIB64]]);
  await daemon.guestIo('d', `write -P 4 ${20 * MIB} 64k`);
  const second = await client.step<Point>(`point ${full.changeId}`);
  expect(second.areas).toEqual([
    [9 * MIB, KIB64],
    [20 * MIB, KIB64],
  ]);
  expect(await client.step(`query ${full.changeId}`)).toMatchObject({ fault: 'vim.fault.FileFault' });
  expect(await client.step('end')).toEqual({ done: true });
  expect(notes.filter(({ changes }) => changes).map(({ method, user }) => `${user} ${method}`)).toContain(
    'backup CreateSnapshot_Task',
  );
}, 60_000);
