/**
 * Waits until an NBD server greets. A qemu-nbd that has just gone to the background may not hear a SIGTERM yet (it says that it
 * runs only after it installed its handler, and thereby forgets the signal); one that greets does.
 */
import { once } from 'node:events';
import { createConnection } from 'node:net';

export async function greeted(where: { path: string } | { port: number; host: string }): Promise<void> {
  const connection = createConnection(where);
  try {
    await once(connection, 'data');
  } finally {
    connection.destroy();
  }
}
