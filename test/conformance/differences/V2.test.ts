/** docs/differences.md, V2. */
import { expect, test } from 'vitest';
import { enable, KIB64, MIB, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test('V2: one page, unless the service is told to page', async () => {
  const answerOf = async (maxAreasPerCall?: number) => {
    const { vm, daemon, key } = await startVm(maxAreasPerCall === undefined ? {} : { maxAreasPerCall });
    await enable(vm);
    const base = await pointInTime(vm);
    await daemon.guestIo('d', 'write 0 512', 'write 1M 512', 'write 2M 512');
    const { reference } = await snapshot(vm);
    return vm.QueryChangedDiskAreas(reference, key, 0, base);
  };
  expect(await answerOf()).toMatchObject({ length: 64 * MIB, changedArea: { length: 3 } });
  expect(await answerOf(2)).toMatchObject({ length: MIB + KIB64, changedArea: { length: 2 } });
});
