/** The rules by which runs are kept, as options of the commands that go by them. */
import type { Command } from 'commander';
import type { KeepRules } from '../backup/keepRules.js';
import { parseCount } from './options.js';

export interface KeepFlags {
  keepLast?: string;
  keepDaily?: string;
  keepWeekly?: string;
}

/** All of them, for messages. */
export const KEEP_FLAGS = '--keep-last, --keep-daily, --keep-weekly';

export function addKeepFlags(command: Command): Command {
  return command
    .option('--keep-last <n>', 'keep the newest n runs')
    .option('--keep-daily <n>', 'keep the newest run of each of the last n days that have one (UTC)')
    .option('--keep-weekly <n>', 'keep the newest run of each of the last n weeks that have one');
}

/** Null where none is given. */
export function rulesOf({ keepLast, keepDaily, keepWeekly }: KeepFlags): KeepRules | null {
  const count = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : parseCount(option, text);
  const rules = {
    last: count('--keep-last', keepLast),
    daily: count('--keep-daily', keepDaily),
    weekly: count('--keep-weekly', keepWeekly),
  };
  return Object.values(rules).every((rule) => rule === undefined) ? null : rules;
}
