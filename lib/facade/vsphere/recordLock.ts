/**
 * One change of a record at a time, over all processes of this machine: a unix socket name in the kernel is the lock, which goes with
 * the process that holds it, however that ends.
 */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { VimFault } from './faults.js';

/** Changes of a record take milliseconds. */
const PATIENCE_MS = 30_000;
const POLL_MS = 10;

export async function withRecordLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const name = `\0qemu-cbt-record-${createHash('sha256').update(file).digest('hex').slice(0, 32)}`;
  const until = Date.now() + PATIENCE_MS;
  let lock = await tryTake(name);
  while (lock === null) {
    if (Date.now() > until)
      throw new VimFault('TaskInProgress', `${file} is being changed by another process`, { task: file });
    await delay(POLL_MS);
    lock = await tryTake(name);
  }
  const held = lock;
  try {
    return await work();
  } finally {
    await new Promise<void>((resolve) => held.close(() => resolve()));
  }
}

/** Null while somebody has it. */
function tryTake(name: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}
