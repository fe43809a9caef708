import { expect, test } from 'vitest';
import { cli } from '../../helpers/cli.js';

test.each([
  [['backup', 'disk.qcow2', '--to', ''], '--to'],
  [['restore', '--from', '', '--to', 'x'], '--from'],
  [['restore', '--from', 'x', '--to', 'y', '--disk', ''], '--disk'],
  [['begin', '--vm', ''], '--vm'],
  [['begin', '--vm', 'x', '--disk', ''], '--disk'],
  [['changes', '', '--from', '*'], 'argument 1'],
])('%j: a variable that was not set in a script is a usage error', async (argv, names) => {
  const { code, stdout, stderr } = await cli(...argv);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('ERR_CBT_INVALID_ARGUMENT');
  expect(stderr).toContain(`${names} is ""`);
});
