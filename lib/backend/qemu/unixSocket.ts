/**
 * Connecting to a unix socket, with errors that say what is wrong at the other end. One attempt: whether a refused
 * connection is worth another is for the caller to know.
 */
import net from 'node:net';
import { CbtError, invalidArgument } from '../../core/errors.js';
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

/** Connects to the socket at `path`; `what` names the other end in errors ("QMP monitor"). */
export function connectUnix(
  path: string,
  what: string,
  options: WaitOptions & { timeoutMs: number },
): Promise<net.Socket> {
  checkSocketPath('socket', path);
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
