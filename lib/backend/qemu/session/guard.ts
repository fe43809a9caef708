/**
 * A process that outlives us by one session: killed, out of memory or gone with its terminal, we can thaw no guest and roll
 * nothing back. A shell of a megabyte waits at the other end of a pipe; what it hears last, or that it hears no more, says
 * what is to be done. It has the session's lock, so nobody takes the session over before it.
 *
 *   'end'      the session ended in order: nothing
 *   'undo'     we live, but have lost QEMU: roll it back
 *   'watch …'  the session outlives us by design: end it when its files come to their limit
 *   silence    we died: roll it back
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** What the shell becomes when there is something to do; the same place seen from the sources and from what is built. */
const PROGRAM = fileURLToPath(new URL('../../../../dist/command/guard.cjs', import.meta.url));

/** It has a session of its own, but who stops a whole service signals every process of it: we then end in order, or are killed. */
const SCRIPT = `
trap '' HUP INT QUIT TERM
read -r order
case $order in
  end) exit ;;
  watch*) exec "$@" $order 3<&- ;;
  *) exec "$@" undo ;;
esac`;

export type GuardOrder = 'end' | 'undo' | `watch ${number}`;

export class Guard {
  readonly #shell: ChildProcess;

  private constructor(shell: ChildProcess) {
    this.#shell = shell;
  }

  /** Starts it with the session's lock; null where that is not possible: then whoever comes next on the VM does its work. */
  static start(folder: string, lockDescriptor: number): Guard | null {
    if (!existsSync(PROGRAM)) return null;
    // Options of our own Node (a debugger's port) are not for another.
    const { NODE_OPTIONS: _, ...env } = process.env;
    const argv = ['-c', SCRIPT, 'qemu-cbt-guard', process.execPath, PROGRAM, folder];
    const shell = spawn('/bin/sh', argv, {
      // Nothing of ours stays mounted because of it.
      cwd: '/',
      env,
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore', lockDescriptor],
    });
    shell.once('error', () => undefined);
    if (shell.pid === undefined) return null;
    // It keeps nobody from ending; and killed, it is nobody's concern.
    shell.unref();
    const orders = shell.stdin as Writable & { unref(): void };
    orders.on('error', () => undefined);
    orders.unref();
    return new Guard(shell);
  }

  /** The last word; it is on its way when this returns, even if we end now. */
  tell(order: GuardOrder): void {
    this.#shell.stdin?.end(`${order}\n`);
  }
}
