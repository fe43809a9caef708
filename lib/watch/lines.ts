/**
 * One line for each operation that ended, made from the channels as anybody could: for loggers, and on stderr where `NODE_DEBUG` names
 * `qemu-cbt`.
 */
import { debuglog } from 'node:util';
import { channels } from './channels.js';
import { CHANNELS, isTrouble, type WatchChannel, type WatchMessage } from './messages.js';

/** Writes a line with its fields, as pino's `logger.info(fields, text)` does. What it throws is its own affair. */
export type LogLine = (fields: object, text: string) => void;

/** Where lines go: pino's logger fits, and whatever has these four. */
export interface Logger {
  /** QMP commands and the movement of bytes. */
  debug: LogLine;
  /** Calls on VMs, sessions and backups that are done. */
  info: LogLine;
  /** What was called off. */
  warn: LogLine;
  /** Calls on VMs, sessions and backups that failed, and sessions that broke. */
  error: LogLine;
}

/** Where lines go, whatever level they are of. */
type Tell = (level: keyof Logger, fields: object, text: string) => void;

/** Tells of everything from here on. What the teller throws ends no work. */
export function listen(tell: Tell): void {
  for (const name of CHANNELS) {
    const told = new WeakSet<object>();
    const line = (message: unknown): void => {
      // A failure without a promise has an end, and no asynchronous one.
      const { error } = message as WatchMessage;
      if (told.has(message as object)) return;
      told.add(message as object);
      try {
        tell(
          levelOf(name, error),
          fieldsOf(name, message as WatchMessage),
          textOf(name, message as WatchMessage),
        );
      } catch {
        // A logger that fails ends no backup.
      }
    };
    channels[name].subscribe({ asyncEnd: line, error: line } as never);
  }
}

function levelOf(name: WatchChannel, error: unknown): keyof Logger {
  // QEMU refuses a command now and then, and whoever sent it knows what to do.
  if (name === 'qemu-cbt:qmp' || name === 'qemu-cbt:stream') return 'debug';
  if (error === null) return 'info';
  return isTrouble(error) ? 'error' : 'warn';
}

/** The message without what is not known. An error is under pino's name for one. */
function fieldsOf(name: WatchChannel, { error, ...message }: WatchMessage): object {
  const known = Object.entries(message).filter(([, value]) => value !== null);
  return { channel: name, ...Object.fromEntries(known), ...(error !== null && { err: error }) };
}

function textOf(name: WatchChannel, { operation, disk, session, durationMs, error }: WatchMessage): string {
  const what = [
    name.replace('qemu-cbt:', ''),
    operation,
    disk,
    session === null ? null : `session ${session}`,
  ];
  const how = error === null ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  const words = what.filter((word) => word !== null);
  return `${words.join(' ')} ${error === null ? 'done' : 'failed'} in ${Math.round(durationMs ?? 0)} ms${how}`;
}

const debug = debuglog('qemu-cbt');
if (debug.enabled) listen((_, __, text) => debug('%s', text));
