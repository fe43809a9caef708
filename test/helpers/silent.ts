/** A peer that takes a connection and never says a word. */
import { createServer, type Socket } from 'node:net';

export interface SilentServer extends AsyncDisposable {
  /** Those that came and are still there. */
  readonly clients: ReadonlySet<Socket>;
  /** 0 on a socket. */
  readonly port: number;
}

/** On a unix socket, or on a free port of this machine. */
export async function listenSilently(path?: string): Promise<SilentServer> {
  const clients = new Set<Socket>();
  const server = createServer((socket) => {
    clients.add(socket);
    // What it is told is read, so that it sees its client go.
    socket.resume().on('error', () => undefined);
    socket.once('close', () => clients.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(path ?? { port: 0, host: '127.0.0.1' }, resolve));
  const address = server.address();
  return {
    clients,
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of clients) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
