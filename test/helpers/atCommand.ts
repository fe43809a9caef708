/** Faults at an exact step: acts right before the n-th command goes to QEMU, so that every step can be met once. */
import net from 'node:net';
import { vi } from 'vitest';

/** From here on; the returned function ends it and gives how many commands went. */
export function atCommand(n: number, act: (socket: net.Socket) => void): () => number {
  let sent = 0;
  const real = net.Socket.prototype.write;
  const spy = vi.spyOn(net.Socket.prototype, 'write').mockImplementation(function (
    this: net.Socket,
    ...args: unknown[]
  ) {
    if (String(args[0]).includes('"execute"')) {
      sent += 1;
      if (sent === n) act(this);
    }
    return (real as (...all: unknown[]) => boolean).apply(this, args);
  });
  return () => {
    spy.mockRestore();
    return sent;
  };
}
