/** docs/differences.md, V15. */
import { expect, test } from 'vitest';
import { enable, faultOf, startVm } from '../vsphere/support.js';

test('V15: tracking is switched, and nothing else; no snapshot has memory', async () => {
  const { vm } = await startVm();
  await enable(vm);
  const more = { changeTrackingEnabled: true, name: 'other' };
  expect((await faultOf(vm.ReconfigVM_Task(more).wait()))._type).toMatch(/^(NotSupported|InvalidArgument)$/);
  expect((await faultOf(vm.CreateSnapshot_Task('x', '', true, false).wait()))._type).toBe('NotSupported');
  expect(vm.name).toBe('web');
});
