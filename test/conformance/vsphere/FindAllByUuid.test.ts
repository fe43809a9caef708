import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { faultOf, startVm } from './support.js';

describe('FindAllByUuid', () => {
  test('finds every VM that has it, by either UUID; a host is none of them', async () => {
    const { vm, folder } = await startVm();
    const uuid = '11111111-2222-4333-8444-555555555555';
    const entries = ['web', 'copy'].map((name) => ({ ...vm.context.entry, name, uuid }));
    const { searchIndex, rootFolder } = connect({ vms: entries, stateFolder: join(folder, 'two') }).content;
    const [datacenter] = rootFolder.childEntity;
    for (const instance of [undefined, false, true]) {
      const found = await searchIndex.FindAllByUuid(datacenter, uuid.toUpperCase(), true, instance);
      expect(found.map(({ name }) => name)).toEqual(['web', 'copy']);
    }
    expect(await searchIndex.FindAllByUuid(null, uuid, false)).toEqual([]);
    const elsewhere = { type: 'Datacenter', value: 'datacenter-2' };
    expect(await faultOf(searchIndex.FindAllByUuid(elsewhere, uuid, true))).toMatchObject({
      _type: 'ManagedObjectNotFound',
      obj: elsewhere,
    });
  });
});
