import { describe, expect, test } from 'vitest';
import { InvalidDatastore } from '../../../lib/facade/vsphere/index.js';
import { faultOf, startVm } from './support.js';

describe('FindByDatastorePath', () => {
  test('finds by config.files.vmPathName; another store is InvalidDatastore', async () => {
    const { vm, service } = await startVm();
    const { searchIndex, rootFolder } = service.content;
    const datacenter = rootFolder.childEntity[0]!;
    expect(await searchIndex.FindByDatastorePath(datacenter, vm.config.files.vmPathName)).toBe(vm);
    expect(await searchIndex.FindByDatastorePath(datacenter, '[local] mail/mail.vmx')).toBeNull();
    const fault = await faultOf(searchIndex.FindByDatastorePath(datacenter, '[san] web/web.vmx'));
    expect(fault).toBeInstanceOf(InvalidDatastore);
    expect(fault.name).toBe('san');
  });
});
