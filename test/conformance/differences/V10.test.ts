/** docs/differences.md, V10. */
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';
import { faultOf } from '../vsphere/support.js';

test('V10: a UUID of two VMs finds neither of them alone', async () => {
  const uuid = '11111111-2222-4333-8444-555555555555';
  const vms = ['web', 'copy'].map((name) => ({ name, uuid, libvirt: `qemu+ssh://elsewhere/system#${name}` }));
  const { searchIndex } = connect({ vms }).content;
  expect(await faultOf(searchIndex.FindByUuid(null, uuid, true))).toMatchObject({
    invalidProperty: 'uuid',
    message: expect.stringMatching(/web, copy/),
  });
  expect(await searchIndex.FindAllByUuid(null, uuid, true)).toHaveLength(2);
});
