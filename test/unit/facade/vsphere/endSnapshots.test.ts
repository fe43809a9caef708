import { expect, test, vi } from 'vitest';
import type { Vm } from '../../../../lib/core/vm.js';
import { endSnapshots } from '../../../../lib/facade/vsphere/endSnapshots.js';
import type { VmContext } from '../../../../lib/facade/vsphere/vmContext.js';
import { emptyRecord, type SnapshotRecord } from '../../../../lib/host/vmRecord.js';
import { createVm } from '../../../../lib/testing/createVm.js';

test('a snapshot’s name is gone before old points are forgotten, and the task’s signal ends the forgetting', async () => {
  const machine = await createVm({ disks: { vda: { sizeBytes: 1 << 20 } } });
  await using vm = await machine.connect();
  await vm.enable();
  for (let night = 1; night <= 3; night += 1) await (await vm.begin()).commit();
  const { pit: session } = await vm.begin({ detached: true });
  const record = emptyRecord();
  record.snapshots = [{ id: 1, name: 'nightly', session, tracked: true } as SnapshotRecord];
  const cancel = new AbortController();
  const forgotten = vi.spyOn(vm, 'forget').mockImplementation(async (_point, options) => {
    expect(record.snapshots).toEqual([]);
    cancel.abort();
    options?.signal?.throwIfAborted();
    throw new Error('it was not handed the signal');
  });
  const warned = vi.spyOn(process, 'emitWarning').mockReturnValue();
  const context = {
    entry: { keepPoints: 2 },
    records: {
      read: async () => structuredClone(record),
      update: async (change: (known: typeof record) => void) => change(record),
    },
    withVm: (work: (connected: Vm) => Promise<void>) => work(vm),
  } as unknown as VmContext;
  await endSnapshots(context, cancel.signal, () => true);
  expect(forgotten).toHaveBeenCalledOnce();
  expect(warned.mock.calls).toMatchObject([
    [expect.stringContaining('aborted'), { code: 'QEMU_CBT_KEEP_POINTS' }],
  ]);
});
