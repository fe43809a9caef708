import { describe, expect, test } from 'vitest';
import { startVm } from './support.js';

describe('FindByInventoryPath', () => {
  test('finds by path, name and reference', async () => {
    const { service, vm } = await startVm();
    expect(await service.content.searchIndex.FindByInventoryPath('ha-datacenter/vm/web')).toBe(vm);
    expect(await service.content.searchIndex.FindByInventoryPath('/ha-datacenter/vm/mail')).toBeNull();
    expect(await service.findVm('vm-1')).toBe(vm);
    expect(await service.findVm('nobody')).toBeNull();
  });
});
