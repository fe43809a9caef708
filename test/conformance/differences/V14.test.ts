/** docs/differences.md, V14. */
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';

test('V14: no guest is asked for its name', async () => {
  const { searchIndex } = connect({
    vms: [{ name: 'web', qmpSocket: '/run/web.qmp', agentSocket: '/run/web.agent' }],
  }).content;
  expect(await searchIndex.FindByDnsName(null, 'web', true)).toBeNull();
});
