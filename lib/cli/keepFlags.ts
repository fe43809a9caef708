/** The rules by which runs are kept, as options of the commands that go by them. */
import type { Command } from 'commander';
import type { KeepRules } from '../backup/keepRules.js';
import { invalidArgument } from '../core/errors.js';
import { parseCount } from './options.js';

export interface KeepFlags {
  keepLast?: string;
  keepHourly?: string;
  keepDaily?: string;
  keepWeekly?: string;
  keepMonthly?: string;
  keepYearly?: string;
  protect?: string[];
}

/** Those of which one is needed, for messages. */
export const COUNTED_FLAGS =
  '--keep-last, --keep-hourly, --keep-daily, --keep-weekly, --keep-monthly, --keep-yearly';

export function addKeepFlags(command: Command): Command {
  return command
    .option('--keep-last <n>', 'keep the newest n runs')
    .option('--keep-hourly <n>', 'keep the newest run of each of the last n hours that have one')
    .option('--keep-daily <n>', 'keep the newest run of each of the last n days that have one, by local time')
    .option(
      '--keep-weekly <n>',
      'keep the newest run of each of the last n weeks (from Monday) that have one',
    )
    .option('--keep-monthly <n>', 'keep the newest run of each of the last n months that have one')
    .option('--keep-yearly <n>', 'keep the newest run of each of the last n years that have one')
    .option(
      '--protect <run...>',
      'beside a rule: keep these runs whatever it says, by their numbers or points in time',
    );
}

/** Null where none is given. Refuses `--protect` alone, which would forget all other runs. */
export function rulesOf(flags: KeepFlags): KeepRules | null {
  const count = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseCount(option, text);
  const { protect } = flags;
  const counted: KeepRules = {
    last: count('--keep-last', flags.keepLast),
    hourly: count('--keep-hourly', flags.keepHourly),
    daily: count('--keep-daily', flags.keepDaily),
    weekly: count('--keep-weekly', flags.keepWeekly),
    monthly: count('--keep-monthly', flags.keepMonthly),
    yearly: count('--keep-yearly', flags.keepYearly),
  };
  if (Object.values(counted).some((rule) => rule !== undefined)) return { ...counted, protect };
  if (protect === undefined) return null;
  throw invalidArgument(
    '--protect',
    protect.join(' '),
    `at least one of ${COUNTED_FLAGS} beside it: alone it forgets all other runs`,
  );
}
