import { describe, expect, test } from 'vitest';
import { faultOf, startVm } from './support.js';

describe('FindByInventoryPath', () => {
  test('finds by path, name and reference', async () => {
    const { service, vm } = await startVm();
    expect(await service.content.searchIndex.FindByInventoryPath('ha-datacenter/vm/web')).toBe(vm);
    expect(await service.content.searchIndex.FindByInventoryPath('/ha-datacenter/vm/mail')).toBeNull();
    expect(await service.findVm('vm-1')).toBe(vm);
    expect(await service.findVm('nobody')).toBeNull();
  });

  test('of a VM that cannot be asked is a fault with the true reason', async () => {
    const { service, daemon } = await startVm();
    await daemon[Symbol.asyncDispose]();
    const fault = await faultOf(service.content.searchIndex.FindByInventoryPath('ha-datacenter/vm/web'));
    expect(fault.name).toBe('InvalidState');
    expect(fault.faultMessage[0]?.message).toMatch(/qmp|no such socket|nobody listens/i);
  });
});
