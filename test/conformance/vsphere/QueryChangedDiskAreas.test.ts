import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FileFault } from '../../../lib/facade/vsphere/index.js';
import { enable, faultOf, KIB64, MIB, pairs, pointInTime, snapshot, startOn, startVm } from './support.js';

describe('QueryChangedDiskAreas', () => {
  test('one answer covers the disk; nothing changed is an empty list over all of it', async () => {
    const { vm, daemon, key } = await startVm();
    await enable(vm);
    const base = await pointInTime(vm);
    const quiet = await snapshot(vm);
    expect(await vm.QueryChangedDiskAreas(quiet.reference, key, 0, base)).toEqual({
      startOffset: 0,
      length: 64 * MIB,
      changedArea: [],
    });
    await quiet.taken.RemoveSnapshot_Task(false).wait();
    await daemon.guestIo('d', 'write 1M 64k', 'write 8M 128k');
    const { reference } = await snapshot(vm);
    await daemon.guestIo('d', 'write 32M 64k');
    const answer = await vm.QueryChangedDiskAreas(reference, key, 0, base);
    expect(answer).toEqual({
      startOffset: 0,
      length: 64 * MIB,
      changedArea: [
        { start: MIB, length: KIB64 },
        { start: 8 * MIB, length: 2 * KIB64 },
      ],
    });
    expect(await vm.QueryChangedDiskAreas(reference, key, 8 * MIB + KIB64, base)).toEqual({
      startOffset: 8 * MIB + KIB64,
      length: 56 * MIB - KIB64,
      changedArea: [{ start: 8 * MIB + KIB64, length: KIB64 }],
    });
  });
  test('* is what held data at the snapshot', async () => {
    const { vm, daemon, key } = await startVm();
    await daemon.guestIo('d', 'write 1M 64k');
    const { reference } = await snapshot(vm);
    await daemon.guestIo('d', 'write 2M 64k');
    expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, '*')).changedArea)).toEqual([
      [MIB, KIB64],
    ]);
  });
  test('with at most so many areas a call, spans add up to the capacity and no span is empty', async () => {
    const { vm, daemon, key } = await startVm({ maxAreasPerCall: 7 });
    await enable(vm);
    const base = await pointInTime(vm);
    const granules = Array.from({ length: 50 }, (_, i) => i * 20);
    await daemon.guestIo('d', ...granules.map((n) => `write ${n * KIB64} 64k`));
    const { reference } = await snapshot(vm);
    const areas: [number, number][] = [];
    let spans = 0;
    for (let offset = 0; offset < 64 * MIB; ) {
      const { startOffset, length, changedArea } = await vm.QueryChangedDiskAreas(
        reference,
        key,
        offset,
        base,
      );
      expect(startOffset).toBe(offset);
      expect(length).toBeGreaterThan(0);
      expect(changedArea.length).toBeLessThanOrEqual(7);
      if (changedArea.length === 0) expect(offset + length).toBe(64 * MIB);
      areas.push(...pairs(changedArea));
      offset += length;
      spans += 1;
    }
    expect(areas).toEqual(granules.map((n) => [n * KIB64, KIB64]));
    expect(spans).toBe(8);
  });
  test('faults, each with its true reason', async () => {
    const { vm, key, daemon } = await startVm();
    await enable(vm);
    const base = await pointInTime(vm);
    const { reference } = await snapshot(vm);
    const ask = (k: number, offset: number, id: string) =>
      faultOf(vm.QueryChangedDiskAreas(reference, k, offset, id));
    expect(await ask(key, 64 * MIB, base)).toMatchObject({
      name: 'InvalidArgument',
      invalidProperty: 'startOffset',
    });
    expect(await ask(key, -1, base)).toMatchObject({
      name: 'InvalidArgument',
      invalidProperty: 'startOffset',
    });
    expect(await ask(4711, 0, base)).toMatchObject({ name: 'InvalidArgument', invalidProperty: 'deviceKey' });
    for (const garbage of ['', 'x', '52 de/1', 'undefined'])
      expect(await ask(key, 0, garbage)).toMatchObject({
        name: 'InvalidArgument',
        invalidProperty: 'changeId',
      });
    const otherEpoch = `52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81`;
    const lost = await ask(key, 0, otherEpoch);
    expect(lost).toMatchObject({
      name: 'FileFault',
      message: expect.stringMatching(/^Error caused by file \[local\] .*d\.qcow2$/),
    });
    expect(lost.faultMessage[0]).toMatchObject({
      key: 'qemu-cbt.OTHER_EPOCH',
      message: expect.stringContaining('take a full backup'),
    });
    expect((await ask(key, 0, `${base.split('/')[0]}/99`)).faultMessage[0]!.key).toBe('qemu-cbt.UNKNOWN_PIT');
    expect((await faultOf(vm.QueryChangedDiskAreas(undefined, key, 0, base))).name).toBe('FileFault');
    expect(
      (
        await faultOf(
          vm.QueryChangedDiskAreas({ type: 'VirtualMachineSnapshot', value: 'snapshot-99' }, key, 0, base),
        )
      ).name,
    ).toBe('ManagedObjectNotFound');
    expect(JSON.parse(JSON.stringify(lost))).toMatchObject({
      _type: 'FileFault',
      file: (lost as FileFault).file,
    });
    expect(daemon.process.pid).toBeGreaterThan(0);
  });
  test('a disk that was not tracked at the snapshot is a FileFault', async () => {
    const { vm, key } = await startVm();
    const { reference } = await snapshot(vm);
    const fault = await faultOf(
      vm.QueryChangedDiskAreas(reference, key, 0, '52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81'),
    );
    expect(fault.faultMessage[0]!.message).toContain('not tracked');
  });
  test('after a restart of QEMU changes still answer, and * says what is gone', async () => {
    const { vm, daemon, key, folder } = await startVm();
    await enable(vm);
    const base = await pointInTime(vm);
    await daemon.guestIo('d', 'write 1M 64k');
    const { reference } = await snapshot(vm);
    await daemon.process.control.execute('quit');
    await daemon.process.ended;
    const next = await startOn(folder);
    expect(next.vm.snapshot).toBeDefined();
    expect(pairs((await next.vm.QueryChangedDiskAreas(reference, key, 0, base)).changedArea)).toEqual([
      [MIB, KIB64],
    ]);
    expect(
      (await faultOf(next.vm.QueryChangedDiskAreas(reference, key, 0, '*'))).faultMessage[0]!.message,
    ).toContain('restarted');
    await next.vm.RemoveAllSnapshots_Task().wait();
  });

  test('a changeId is one however it is spelled, and answers also when the record of the VM was lost', async () => {
    const { vm, daemon, key, folder } = await startVm();
    await enable(vm);
    const base = await pointInTime(vm);
    await daemon.guestIo('d', 'write 1M 64k');
    const { reference, taken } = await snapshot(vm);
    for (const spelled of [base, base.toUpperCase(), base.replaceAll(' ', '')])
      expect(pairs((await vm.QueryChangedDiskAreas(reference, key, 0, spelled)).changedArea)).toEqual([
        [MIB, KIB64],
      ]);
    await taken.RemoveSnapshot_Task(false).wait();
    await rm(join(folder, 'state'), { recursive: true });
    const next = await snapshot(vm);
    expect(pairs((await vm.QueryChangedDiskAreas(next.reference, key, 0, base)).changedArea)).toEqual([
      [MIB, KIB64],
    ]);
  });
  test('no snapshot at all, and a changeId of later, are told as what they are', async () => {
    const { vm, key } = await startVm();
    await enable(vm);
    const first = await snapshot(vm);
    expect((await faultOf(vm.QueryChangedDiskAreas(null, key, 0, first.changeId))).name).toBe('FileFault');
    await vm.RemoveAllSnapshots_Task().wait();
    const later = await pointInTime(vm);
    const record = await vm.context.records.read();
    expect(record.snapshots).toEqual([]);
    const { reference } = await snapshot(vm);
    expect((await vm.QueryChangedDiskAreas(reference, key, 0, later)).changedArea).toEqual([]);
  });
});
