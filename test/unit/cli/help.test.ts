/** Help, and errors in the words of who typed the command. */
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { inFlags } from '../../../lib/cli/inFlags.js';
import { CbtError, invalidArgument } from '../../../lib/core/errors.js';
import { cli } from '../../helpers/cli.js';

test('help <command> is the help of that command', async () => {
  const [help, option] = [await cli('help', 'restore'), await cli('restore', '--help')];
  expect(help).toMatchObject({ code: 0, stdout: option.stdout });
  expect((await cli('help')).stdout).toContain('Exit codes: 0 done');
  expect((await cli('help', 'nosuch')).code).toBe(2);
});

test('an argument is called as its flag, and only where the command has one', () => {
  const command = new Command()
    .option('--jobs <n>')
    .option('--rate <n>')
    .option('--disk <name...>')
    .option('--scratch-limit <n>');
  const told = (argument: string): string => inFlags(invalidArgument(argument, 'x', 'a y'), command).message;
  expect(told('jobs')).toBe('--jobs is "x", expected a y');
  expect(told('bytesPerSecond')).toBe('--rate is "x", expected a y');
  expect(told('disks[1]')).toBe('--disk is "x", expected a y');
  expect(told('scratch.limitBytes')).toBe('--scratch-limit is "x", expected a y');
  expect(told('nosuch')).toBe('nosuch is "x", expected a y');
  expect(told('toString')).toBe('toString is "x", expected a y');
  expect(told('--rate')).toBe('--rate is "x", expected a y');
  const missing = new CbtError('ERR_CBT_INVALID_ARGUMENT', 'no disk is named, expected one of a, b', {
    details: { argument: 'disk' },
  });
  expect(inFlags(missing, command).message).toBe('no disk is named, expected one of a, b (--disk)');
  const other = new CbtError('ERR_CBT_TIMEOUT', 'jobs is late', { details: { argument: 'jobs' } });
  expect(inFlags(other, command)).toBe(other);
  expect(inFlags(missing, undefined)).toBe(missing);
});
