import { expect, test } from 'vitest';
import { checkedSource } from '../../../lib/backup/checkedSource.js';
import { vmSource } from '../../../lib/backup/vmSource.js';
import type { Vm } from '../../../lib/core/vm.js';

const PIT = '11111111-1111-4111-8111-111111111111';

/** A VM whose session has something to say at every turn. */
function talkative(): Vm {
  const says = (text: string) => async () => ({ pit: PIT, disks: [], warnings: [text] });
  const session = {
    pit: PIT,
    disks: [],
    warnings: ['begun'],
    broken: null,
    commit: says('its folder stays'),
    rollback: says('its folder stays'),
  };
  const calls = Object.fromEntries(
    ['facts', 'disks', 'openDisk', 'forget', 'undo'].map((name) => [name, async () => undefined]),
  );
  return { running: true, ...calls, begin: async () => session } as unknown as Vm;
}

test.each(['commit', 'rollback'] as const)('what a session says at its end is told: %s', async (end) => {
  const session = await checkedSource(vmSource(talkative())).begin(PIT, undefined);
  expect(session.warnings).toEqual(['begun']);
  expect(await session[end]([])).toEqual([]);
  expect(session.warnings).toEqual(['begun', 'its folder stays']);
});
