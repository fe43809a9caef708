/**
 * Connections of a server, within limits: whoever opens many and says nothing loses the oldest of them, never somebody else's. A
 * connection that carried a session is let be.
 */
import type { Socket } from 'node:net';

export interface ConnectionLimits {
  /** Of one address that have not shown a session. */
  perAddress: number;
  /** In all. */
  all: number;
}

interface Known {
  socket: Socket;
  address: string;
  /** Requests that are being answered on it. */
  busy: number;
  trusted: boolean;
}

/** Its other end; the same of a connection and of what TLS makes of it. */
const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

/** The connections of one server. */
export class Connections {
  readonly #known = new Map<string, Known>();

  constructor(readonly limits: ConnectionLimits) {}

  get count(): number {
    return this.#known.size;
  }

  /** Takes a new one in, as soon as it is there: before TLS. */
  add(socket: Socket): void {
    const address = socket.remoteAddress ?? '';
    const end = endOf(socket);
    const known = { socket, address, busy: 0, trusted: false };
    this.#known.set(end, known);
    socket.once('close', () => {
      if (this.#known.get(end) === known) this.#known.delete(end);
    });
    const ofAddress = [...this.#known.values()].filter((one) => one.address === address && !one.trusted);
    if (ofAddress.length > this.limits.perAddress) drop(ofAddress);
    if (this.#known.size > this.limits.all) drop([...this.#known.values()]);
  }

  /** A request began on it; it ends with what is returned. */
  begin(socket: Socket): () => void {
    const known = this.#known.get(endOf(socket));
    if (known === undefined) return () => undefined;
    known.busy += 1;
    return () => {
      known.busy -= 1;
    };
  }

  /** It carried a session. */
  trust(socket: Socket): void {
    const known = this.#known.get(endOf(socket));
    if (known !== undefined) known.trusted = true;
  }

  /** Ends all; those in the middle of an answer only with `force`. */
  end(force: boolean): void {
    for (const { socket, busy } of this.#known.values()) if (force || busy === 0) socket.destroy();
  }
}

/** Ends the oldest that does nothing; the oldest at all where all are at work. */
function drop(among: readonly Known[]): void {
  const one =
    among.find(({ busy, trusted }) => busy === 0 && !trusted) ??
    among.find(({ busy }) => busy === 0) ??
    among[0];
  one?.socket.destroy();
}
