/**
 * Makes a program end when this process does, however it does: a server that was started, but not yet connected to, would
 * otherwise wait for its first client for ever, and keep its image locked.
 */
import { accessSync, constants } from 'node:fs';

/** util-linux; where it is not there, programs are started as they are. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** We may have died before the kernel was told to signal our death: then the parent is another one already. */
const START_IF_PARENT_LIVES = '[ "$PPID" = "$0" ] && exec "$@"';

/** The command line with a guard in front: the kernel sends it SIGTERM when the thread that started it ends. */
export function endingWithUs(command: readonly string[]): string[] {
  const setpriv = SETPRIV.find(isExecutable);
  if (setpriv === undefined) return [...command];
  const guard = [setpriv, '--pdeathsig', 'TERM', '/bin/sh', '-c', START_IF_PARENT_LIVES, String(process.pid)];
  return [...guard, ...command];
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
