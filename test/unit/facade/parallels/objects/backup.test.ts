import { expect, test, vi } from 'vitest';
import { CbtError } from '../../../../../lib/core/errors.js';
import type { Session } from '../../../../../lib/core/session.js';
import type { Vm } from '../../../../../lib/core/vm.js';
import { Backup } from '../../../../../lib/facade/parallels/objects/backup.js';

/** Its commit is called off; a rollback after that throws `after`. */
function calledOff(after: CbtError) {
  const onEnd = vi.fn();
  const session = {
    disks: [],
    commit: () => Promise.reject(new CbtError('ERR_CBT_ABORTED', 'called off')),
    rollback: () => Promise.reject(after),
  } as unknown as Session;
  const vm = { close: vi.fn(async () => undefined) };
  const keeps = { keepsPoint: true, keepPoints: undefined, spare: async () => [] };
  return { vm, onEnd, backup: new Backup(vm as unknown as Vm, session, keeps, onEnd) };
}

test('a commit called off when the session was over already leaves a backup that closes; one that cannot be ended does not', async () => {
  const over = calledOff(new CbtError('ERR_CBT_CLOSED', 'has ended', { details: { ended: true } }));
  await expect(over.backup.commit()).rejects.toThrow();
  expect(over.onEnd).not.toHaveBeenCalled();
  await over.backup.close();
  expect(over.onEnd).toHaveBeenCalledOnce();
  expect(over.vm.close).toHaveBeenCalledOnce();
  const stuck = calledOff(new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'no'));
  await expect(stuck.backup.commit()).rejects.toThrow();
  await expect(stuck.backup.close()).rejects.toThrow('no');
});
