/** docs/differences.md, V8. */
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';

test('V8: an object is its own reference', async () => {
  const { rootFolder, searchIndex } = connect({ vms: [{ name: 'web', qmpSocket: '/run/web.qmp' }] }).content;
  const reference = { type: 'Folder', value: 'ha-folder-root' };
  expect(JSON.parse(JSON.stringify(rootFolder))).toEqual(reference);
  const [datacenter] = rootFolder.childEntity;
  for (const root of [rootFolder, reference])
    expect(await searchIndex.FindChild(root, 'ha-datacenter')).toBe(datacenter);
});
