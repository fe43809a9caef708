/** docs/differences.md, V9. */
import { expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { toFault } from '../../../lib/facade/vsphere/faults.js';
import { TaskInProgress } from '../../../lib/facade/vsphere/index.js';

test('V9: what is in progress is told in words', () => {
  const details = { task: 'backup' };
  const fault = toFault(new CbtError('ERR_CBT_TIMEOUT', 'held', { reason: 'BUSY', details }));
  expect(fault).toBeInstanceOf(TaskInProgress);
  expect(fault).toMatchObject({ task: { type: 'Task', value: 'backup' } });
});
