/** docs/differences.md, V13. */
import { expect, test } from 'vitest';
import { connect } from '../../../lib/facade/vsphere/index.js';

test('V13: types have the properties that clients of changed-block tracking read, and no other', () => {
  const { content } = connect({ vms: [] });
  expect(Object.keys(content).sort()).toEqual(['about', 'rootFolder', 'searchIndex']);
  expect('viewManager' in content).toBe(false);
  expect('licenseProductName' in content.about).toBe(false);
});
