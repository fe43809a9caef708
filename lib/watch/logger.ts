/** The logger that a call is given: it hears what that call does, and nothing of other calls. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { invalidArgument } from '../core/errors.js';
import type { Check } from '../core/options.js';
import { type Logger, listen } from './lines.js';

export type { Logger, LogLine } from './lines.js';

/** A logger with all four levels. */
export const logger: Check = (value, name) => {
  const given = (value ?? {}) as Partial<Record<string, unknown>>;
  if (!['debug', 'info', 'warn', 'error'].every((level) => typeof given[level] === 'function'))
    throw invalidArgument(name, value, 'a logger with debug, info, warn and error, such as pino’s');
};

const current = new AsyncLocalStorage<Logger>();
let listening = false;

/** Runs the work; what it does is told to the logger, unless there is none. */
export function logging<T>(to: Logger | undefined, work: () => T): T {
  if (to === undefined) return work();
  if (!listening) {
    listening = true;
    listen((level, fields, text) => current.getStore()?.[level](fields, text));
  }
  return current.run(to, work);
}
