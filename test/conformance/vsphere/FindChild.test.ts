import { describe, expect, test } from 'vitest';
import { faultOf, startVm } from './support.js';

describe('FindChild', () => {
  test('goes down from the root, by objects or their references', async () => {
    const { vm, service } = await startVm();
    const { searchIndex, rootFolder } = service.content;
    const datacenter = (await searchIndex.FindChild(rootFolder, 'ha-datacenter'))!;
    const folder = (await searchIndex.FindChild(datacenter.toJSON(), 'vm'))!;
    expect(await searchIndex.FindChild(folder, 'web')).toBe(vm);
    expect(await searchIndex.FindChild(folder, 'mail')).toBeNull();
    expect(await searchIndex.FindChild(vm, 'web')).toBeNull();
    const gone = { type: 'Folder', value: 'group-v3' };
    expect(await faultOf(searchIndex.FindChild(gone, 'web'))).toMatchObject({ obj: gone });
  });
});
