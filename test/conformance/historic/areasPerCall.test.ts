/** The limit of 2000 areas a call: clients that did not know it restored corrupt disks (Bareos 2009).
 * Here: one answer is complete by default; with the limit the spans add up to the capacity. */
import { expect, test } from 'vitest';
import { openData } from '../../../lib/host/data.js';
import { enable, KIB64, pointInTime, snapshot, startVm } from '../vsphere/support.js';

test.each([undefined, 2000])('five thousand areas, at most %s a call', async (maxAreasPerCall) => {
  const { vm, daemon, key } = await startVm({
    sizeBytes: 1 << 30,
    ...(maxAreasPerCall && { maxAreasPerCall }),
  });
  await enable(vm);
  const base = await pointInTime(vm);
  await using guest = await openData({ kind: 'unix', path: daemon.nbdPath, exportName: 'd' });
  const places = Array.from({ length: 5000 }, (_, i) => i * 3 * KIB64);
  await guest.writeStream(places.map((offset) => ({ offset, data: Buffer.alloc(512, 1) })));
  const { reference } = await snapshot(vm);
  const starts: number[] = [];
  let calls = 0;
  for (let offset = 0; offset < 1 << 30; calls += 1) {
    const info = await vm.QueryChangedDiskAreas(reference, key, offset, base);
    starts.push(...info.changedArea.map(({ start }) => start));
    offset = info.startOffset + info.length;
  }
  expect(starts).toEqual(places);
  expect(calls).toBe(maxAreasPerCall === undefined ? 1 : 3);
});
