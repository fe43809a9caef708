import { describe, expect, test } from 'vitest';
import { qemuImg } from '../../helpers/qemuTools.js';
import { makeImage, open, path, READ_ONLY, ref, useLibrary, vix } from './support.js';

useLibrary();

describe('VixDiskLib_SpaceNeededForClone', () => {
  test('is the capacity for a flat copy, less for a sparse one', async () => {
    const handle = await open(await makeImage('a.qcow2', 64 << 20, ['write 0 64k']), READ_ONLY);
    const space = ref<number>();
    expect(await vix.VixDiskLib_SpaceNeededForClone(handle, vix.VIXDISKLIB_DISK_MONOLITHIC_FLAT, space)).toBe(
      vix.VIX_OK,
    );
    expect(space.value).toBe(64 << 20);
    expect(
      await vix.VixDiskLib_SpaceNeededForClone(handle, vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE, space),
    ).toBe(vix.VIX_OK);
    expect(space.value).toBeLessThan(1 << 20);
  });

  test('is told of a disk that is open for writing', async () => {
    const handle = await open(await makeImage('w.qcow2', 64 << 20), 0);
    const space = ref<number>();
    expect(
      await vix.VixDiskLib_SpaceNeededForClone(handle, vix.VIXDISKLIB_DISK_MONOLITHIC_SPARSE, space),
    ).toBe(vix.VIX_OK);
    expect(space.value).toBeLessThan(1 << 20);
  });

  test.each([
    ['a.qcow2', false],
    ['b.raw', true],
    ['c.vmdk', false],
    ['d.vmdk', true],
  ] as const)('an unknown type is the type of the disk: %s', async (name, flat) => {
    if (name === 'd.vmdk')
      await qemuImg('create', '-q', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', path(name), '64M');
    const made = name === 'd.vmdk' ? path(name) : await makeImage(name, 64 << 20);
    const handle = await open(made, READ_ONLY);
    const space = ref<number>();
    expect(await vix.VixDiskLib_SpaceNeededForClone(handle, vix.VIXDISKLIB_DISK_UNKNOWN, space)).toBe(
      vix.VIX_OK,
    );
    if (flat) expect(space.value).toBe(64 << 20);
    else expect(space.value).toBeLessThan(1 << 20);
  });
});
