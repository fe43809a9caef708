/**
 * The library names the options of its calls (`scratch.limitBytes`); who typed a command knows its flags (`--scratch-limit`). An error about
 * an argument is told in the words of the command that ran.
 */
import type { Command } from 'commander';
import { CbtError } from '../core/errors.js';

/** Options of calls that are not called as their flags are. */
const OTHERWISE: Readonly<Record<string, string>> = {
  bytesPerSecond: 'rate',
  disks: 'disk',
  maxAgeMs: 'check',
  scratchFolder: 'scratch',
  at: 'pit',
  'at.run': 'pit',
  'at.pit': 'pit',
  'scratch.folder': 'scratch',
  'scratch.limitBytes': 'scratchLimit',
  'rules.last': 'keepLast',
  'rules.hourly': 'keepHourly',
  'rules.daily': 'keepDaily',
  'rules.weekly': 'keepWeekly',
  'rules.monthly': 'keepMonthly',
  'rules.yearly': 'keepYearly',
  'rules.protect': 'protect',
};

/** The same error, its argument called as the command calls it; any other error as it is. */
export function inFlags(error: CbtError, command: Command | undefined): CbtError {
  const argument = error.details['argument'];
  if (error.code !== 'ERR_CBT_INVALID_ARGUMENT' || typeof argument !== 'string') return error;
  const name = argument.replace(/\[\d+\]$/, '');
  const wanted = Object.hasOwn(OTHERWISE, name) ? OTHERWISE[name] : name;
  const flag = command?.options.find((option) => option.attributeName() === wanted)?.long;
  if (flag === undefined || flag === null || error.message.includes(flag)) return error;
  const message = error.message.startsWith(`${argument} is `)
    ? `${flag}${error.message.slice(argument.length)}`
    : `${error.message} (${flag})`;
  const { reason, disk, details, cause } = error;
  return new CbtError(error.code, message, {
    ...(reason !== undefined && { reason }),
    ...(disk !== undefined && { disk }),
    details,
    cause,
  });
}
