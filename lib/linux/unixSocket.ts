/**
 * Connecting to a unix socket, with errors that say what is wrong at the other end. A refused connection is not tried
 * again: whether it is worth it is for the caller to know.
 */
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { CbtError, invalidArgument } from '../core/errors.js';
import { type WaitOptions, waitFor } from './waiting.js';

/** sizeof(sockaddr_un.sun_path) less the closing NUL (Linux unix(7)). */
export const MAX_SOCKET_PATH_BYTES = 107;

export function checkSocketPath(argument: string, path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0 || bytes > MAX_SOCKET_PATH_BYTES || path.includes('\0')) {
    throw invalidArgument(
      argument,
      path,
      `a socket path of 1 to ${MAX_SOCKET_PATH_BYTES} bytes (it has ${bytes})`,
    );
  }
}

/** Between two looks at a full queue. */
const QUEUE_POLL_MS = 25;

/**
 * Connects to the socket at `path`; `what` names the other end in errors ("QMP monitor"). Where the queue of the
 * listener is full it waits for a place until the time-out: a blocking connect(2) would do so by itself, Node's cannot.
 */
export async function connectUnix(
  path: string,
  what: string,
  options: WaitOptions & { timeoutMs: number },
): Promise<net.Socket> {
  checkSocketPath('socket', path);
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    try {
      return await connectOnce(path, what, { ...options, timeoutMs: Math.max(1, deadline - Date.now()) });
    } catch (error) {
      const full = error instanceof CbtError && error.details['errno'] === 'EAGAIN';
      if (!full || Date.now() + QUEUE_POLL_MS >= deadline) throw error;
      await delay(QUEUE_POLL_MS);
    }
  }
}

function connectOnce(
  path: string,
  what: string,
  options: WaitOptions & { timeoutMs: number },
): Promise<net.Socket> {
  return waitFor<net.Socket>(
    (resolve, reject) => {
      const socket = net.connect({ path });
      let connected = false;
      const onConnect = (): void => {
        connected = true;
        resolve(socket);
      };
      const onError = (error: NodeJS.ErrnoException): void => reject(cannotConnect(path, what, error));
      socket.once('connect', onConnect).once('error', onError);
      return () => {
        socket.off('connect', onConnect).off('error', onError);
        // A socket given up on may still report an error of its own; nobody is left to hear it.
        if (!connected) socket.on('error', () => undefined).destroy();
      };
    },
    {
      ...options,
      onTimeout: () =>
        new CbtError(
          'ERR_CBT_TIMEOUT',
          `${what} ${path} did not accept a connection in ${options.timeoutMs} ms`,
        ),
    },
  );
}

function cannotConnect(path: string, what: string, error: NodeJS.ErrnoException): CbtError {
  const busy = error.code === 'EAGAIN';
  const why =
    {
      ENOENT: 'there is no such socket; is the VM running?',
      ECONNREFUSED: 'nobody listens there any more; its QEMU has ended',
      EACCES: 'no permission for this user',
      EAGAIN: 'its queue is full; another client holds it, and it serves one at a time',
      ENOTSOCK: 'it is not a socket',
    }[error.code ?? ''] ?? error.message;
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `cannot connect to ${what} ${path}: ${why}`, {
    ...(busy ? { reason: 'BUSY' as const } : {}),
    details: { socket: path, errno: error.code ?? null },
    cause: error,
  });
}
