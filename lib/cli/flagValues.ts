/** What is wrong with the values of flags is said before anything is looked at: a command may take long to come to where it needs them. */
import type { Command, Option } from 'commander';
import { invalidArgument } from '../core/errors.js';
import { parseAge, parseBytes, parseCount } from './options.js';

/** By what the help calls a value. */
const READERS: Readonly<Record<string, (flag: string, text: string) => unknown>> = {
  bytes: parseBytes,
  n: parseCount,
  areas: parseCount,
  age: parseAge,
};

/** Refuses what cannot be read, and empty values: one whose variable was not set in a script would mean the current folder, or all disks. */
export function checkFlagValues(command: Command): void {
  for (const option of command.options) {
    const given: unknown = command.getOptionValue(option.attributeName());
    const flag = option.long ?? option.flags;
    for (const value of [given].flat()) {
      if (value === '') throw invalidArgument(flag, '', 'a value that is not empty');
      if (typeof value === 'string') READERS[kindOf(option)]?.(flag, value);
    }
  }
  for (const [index, value] of command.processedArgs.flat().entries())
    if (value === '') throw invalidArgument(`argument ${index + 1}`, '', 'a value that is not empty');
}

function kindOf({ flags }: Option): string {
  return /[<[]([^>\].]+)/.exec(flags)?.[1] ?? '';
}
