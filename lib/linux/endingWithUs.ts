/**
 * Makes a program of QEMU's end when this process does, however it does: a server that was started, but not yet connected to,
 * would otherwise wait for its first client for ever, and keep its image locked.
 *
 * The kernel signals our death to it, once. A qemu-nbd that serves read-only has nothing to lose and is killed. One that
 * writes gets SIGTERM, so that it writes back what it holds, bitmaps too; but a SIGTERM that comes while it starts is lost
 * (QEMU 7.2 takes note of it, and then sets its state to "running": 28 of 506 that were sent in the first 45 ms). So a shell
 * stays beside it, and repeats the signal until it is heard. A qemu-storage-daemon hears it at any time (1600 of 1600).
 *
 * Where nothing can have the kernel signal our death, the shell that stays beside does all of it.
 */
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

/** util-linux from 2.33 on; that of busybox is no help. */
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** We may have died before the kernel was told to signal our death: then the parent is another one already. */
const START_IF_PARENT_LIVES = '[ "$PPID" = "$0" ] && exec "$@"';

/**
 * The same, with a watcher. `$$` is the program in both processes; its parent and its start (fields 4 and 22 of /proc/<pid>/stat)
 * tell that we are gone, and that the number is still its own.
 */
const startWatched = (signal: 'KILL' | 'TERM'): string => `
look() { read -r line </proc/$$/stat && set -- \${line##*) } && echo "$2 \${20}"; }
at_first=$(look)
[ "\${at_first% *}" = "$0" ] || exit 1
(
  while sleep 1; [ "$(look)" = "$at_first" ]; do :; done
  while now=$(look) && [ "\${now#* }" = "\${at_first#* }" ] && kill -${signal} $$; do sleep 1; done
) </dev/null >/dev/null 2>&1 3<&- &
exec "$@"`;

const GUARDS = {
  kill: { signal: 'KILL', script: START_IF_PARENT_LIVES },
  ask: { signal: 'TERM', script: START_IF_PARENT_LIVES },
  insist: { signal: 'TERM', script: startWatched('TERM') },
} as const;

/** The command line with a guard in front: it ends when the thread that started it does. */
export function endingWithUs(
  command: readonly string[],
  how: keyof typeof GUARDS,
  candidates: readonly string[] = SETPRIV,
): string[] {
  const { signal, script: usual } = GUARDS[how];
  const setpriv = candidates.find(signalsDeath);
  const wanted = setpriv ? usual : startWatched(signal);
  const script = procIsOurs() ? wanted : START_IF_PARENT_LIVES;
  const started = ['/bin/sh', '-c', script, String(process.pid), ...command];
  return setpriv === undefined ? started : [setpriv, '--pdeathsig', signal, ...started];
}

/** In a PID namespace with another one's /proc our numbers are somebody else's there: nothing is told from it. */
function procIsOurs(): boolean {
  try {
    return readlinkSync('/proc/self') === String(process.pid);
  } catch {
    return false;
  }
}

const known = new Map<string, boolean>();

/** Whether this setpriv is there and can do it; asked once. */
function signalsDeath(setpriv: string): boolean {
  const before = known.get(setpriv);
  if (before !== undefined) return before;
  const { status } = spawnSync(setpriv, ['--pdeathsig', 'KILL', '/bin/sh', '-c', ':'], { stdio: 'ignore' });
  known.set(setpriv, status === 0);
  return status === 0;
}
