/** A session over the standard input and output: how the library of a program starts us. */
import { Socket } from 'node:net';
import { endOutput, LibrarySession } from './librarySession.js';

export interface StdioOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** The host file that the command line names. */
  host: string | undefined;
  version: string;
  /** Ends the session, as the end of the input does. */
  signal: AbortSignal;
}

/** Until the program ends, goes away, or breaks the protocol, which throws. */
export async function serveStdio({ env, host, version, signal }: StdioOptions): Promise<void> {
  // Not process.stdout: that one waits, and with it everything, for a client that does not read. Both may be one socket: unless told,
  // the one for writing would take away what the other is to read.
  const input = new Socket({ fd: 0, readable: true, writable: false });
  const output = new Socket({ fd: 1, readable: false, writable: true });
  // The output too, so that the program is told before its disks are closed, which may take a while.
  const end = () => {
    input.destroy();
    output.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  // A client that was killed in the middle of a message is one that went away.
  input.on('error', end);
  try {
    await new LibrarySession({ input: chunksOf(input), output, env, host, version }).run();
  } finally {
    signal.removeEventListener('abort', end);
    input.destroy();
    await endOutput(output);
  }
}

/** What arrives until it ends, in whichever way. */
async function* chunksOf(input: Socket): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of input) yield chunk as Buffer;
  } catch (thrown) {
    if (!input.destroyed) throw thrown;
  }
}
