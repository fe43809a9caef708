/** The NBD server of a QEMU process: there is one at most, and it may belong to somebody else. */
import { chmod } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { CbtError } from '../../../core/errors.js';
import { listeningPaths } from '../../../linux/listeners.js';
import { checkSocketPath } from '../../../linux/unixSocket.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { qmp } from '../qmp/commands.js';
import { QmpCommandError } from '../qmp/qmpError.js';
import type { QmpPort } from '../qmp/qmpPort.js';

/** Starts a server on that socket. */
export async function startServer(client: QmpPort, socket: string, options?: WaitOptions): Promise<void> {
  checkSocketPath('the NBD socket', socket);
  try {
    await qmp(client, 'nbd-server-start', { addr: { type: 'unix', data: { path: socket } } }, options);
  } catch (error) {
    if (!(error instanceof QmpCommandError) || !/already running/i.test(error.description)) throw error;
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      'an NBD server is running in this QEMU already, and a QEMU has only one: stop it, or name its unix socket so that the session can use it (--nbd-socket)',
      { reason: 'BUSY', cause: error },
    );
  }
  // The folder keeps others out; the socket says the same. A server of a QEMU in another mount namespace is not seen here.
  await chmod(socket, 0o600).catch(() => undefined);
}

/** Bytes of an NBD server's greeting: NBDMAGIC, IHAVEOPT, flags. */
const GREETING_BYTES = 18;
/** Client flags (fixed newstyle, no zeroes), then NBD_OPT_ABORT: a farewell that QEMU does not log as a broken client. */
const FAREWELL = Buffer.concat([
  Buffer.from([0, 0, 0, 3]),
  Buffer.from('IHAVEOPT'),
  Buffer.from([0, 0, 0, 2, 0, 0, 0, 0]),
]);
const GREET_WITHIN_MS = 2_000;

/** Whether a server listens there (QEMU does not tell the address of its own). Only an answer that nobody is there counts as no. */
export async function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    let greeted = 0;
    connection.setTimeout(GREET_WITHIN_MS, () => connection.destroy());
    connection.on('data', (chunk: Buffer) => {
      if (greeted < GREETING_BYTES && greeted + chunk.length >= GREETING_BYTES) connection.end(FAREWELL);
      greeted += chunk.length;
    });
    connection.once('close', (failed) => failed || resolve(true));
    connection.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (code !== 'ENOENT') resolve(code !== 'ECONNREFUSED');
      // Its file may have been removed under it: the kernel lists it all the same.
      else void listeningPaths().then((paths) => resolve(paths.includes(socket)));
    });
  });
}

/** NBD URI of an export on a unix socket. */
export function exportUri(socket: string, name: string): string {
  return `nbd+unix:///${encodeURIComponent(name)}?socket=${encodeURIComponent(socket)}`;
}
