/** What systemd and a service tell each other: that it is ready, reloads or stops, and the socket that it was given. */
import { spawn } from 'node:child_process';

type Environment = Readonly<Record<string, string | undefined>>;

/** Tells systemd of a change of state, through its own program; nothing where nobody listens. Never fails. */
export async function notify(env: Environment, ...state: string[]): Promise<void> {
  if (env['NOTIFY_SOCKET'] === undefined) return;
  // Node has no datagram sockets of the file system.
  await new Promise<void>((resolve) => {
    const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...state], { stdio: 'ignore' });
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}

/** The first of the sockets that systemd opened for this process; null where it opened none. */
export function givenSocket(env: Environment, pid: number = process.pid): number | null {
  const isOurs = env['LISTEN_PID'] === String(pid) && Number(env['LISTEN_FDS']) >= 1;
  return isOurs ? 3 : null;
}
