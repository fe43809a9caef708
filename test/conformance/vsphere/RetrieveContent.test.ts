import { describe, expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { startVm } from './support.js';

describe('RetrieveContent', () => {
  test('leads from the root folder to the VM', async () => {
    const { service, vm } = await startVm();
    const content = service.RetrieveContent();
    expect(content.about).toMatchObject({ apiType: 'HostAgent', apiVersion: '6.7.1' });
    expect(content.rootFolder.childEntity[0]!.vmFolder.childEntity).toEqual([vm]);
    expect(() => connect({ vms: [], maxAreasPerCall: 0 })).toThrow(
      expect.objectContaining({ invalidProperty: 'maxAreasPerCall' }),
    );
    const unread = connect({ vms: [{ name: 'a', qmpSocket: '/a' }] }).content.rootFolder.childEntity[0]!
      .vmFolder.childEntity[0]!;
    expect(() => unread.config).toThrow(expect.objectContaining({ name: 'InvalidState' }));
  });
});
