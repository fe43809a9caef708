import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { useLibrary, vix } from '../vixdisklib/support.js';
import { faultOf, startVm } from './support.js';

useLibrary();

describe('FindByUuid', () => {
  test('a UUID that two VMs have, as a copy has it, is refused with their names', async () => {
    const { vm, folder } = await startVm();
    const uuid = '11111111-2222-4333-8444-555555555555';
    const two = connect({
      vms: ['web', 'copy'].map((name) => ({ ...vm.entry, name, uuid })),
      stateFolder: join(folder, 'state'),
    });
    const { searchIndex } = two.content;
    for (const find of [() => two.findVm(uuid), () => searchIndex.FindByUuid(null, uuid, true)])
      expect(await faultOf(find())).toMatchObject({
        name: 'InvalidArgument',
        message: expect.stringMatching(/web, copy/),
      });
  });

  test('a name that is the reference of another VM: each kind of name finds its own', async () => {
    const { vm, folder } = await startVm();
    const { vm: other } = await startVm();
    const entries = [
      { ...vm.entry, name: 'vm-2' },
      { ...other.entry, name: 'mail' },
    ];
    const service = connect({ vms: entries, stateFolder: join(folder, 'names') });
    vix.configureVixDiskLib({ service });
    expect((await service.findVm('vm-2'))!.name).toBe('vm-2');
    expect((await service.findByMoref('vm-2'))!.name).toBe('mail');
    expect(await service.findByMoref('mail')).toBeNull();
    const params = (vmxSpec: string) => ({ vmxSpec });
    expect(await vix.VixDiskLib_PrepareForAccess(params('moref=vm-2'), 'me')).toBe(vix.VIX_OK);
    const holderOf = async (name: string): Promise<unknown> =>
      (await (await (await service.findVm(name))!.context.holders()).read()).holder;
    expect(await holderOf('mail')).not.toBeNull();
    expect(await holderOf('vm-2')).toBeNull();
    expect(await vix.VixDiskLib_EndAccess(params('moref=vm-2'), 'me')).toBe(vix.VIX_OK);
  });

  test('finds by the UUID that the configuration tells', async () => {
    const { service, vm } = await startVm();
    const { searchIndex } = service.content;
    expect(await searchIndex.FindByUuid(null, vm.config.uuid.toUpperCase(), true)).toBe(vm);
    expect(await searchIndex.FindByUuid(null, vm.config.instanceUuid, true, true)).toBe(vm);
    // A host is looked for, and there is none.
    expect(await searchIndex.FindByUuid(null, vm.config.uuid, false)).toBeNull();
    expect(await searchIndex.FindByUuid(null, '00000000-0000-4000-8000-000000000000', true)).toBeNull();
  });
});
