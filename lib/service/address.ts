/** Where a wire listens, as a host file says it. */
import { CbtError } from '../core/errors.js';

/** A TCP address. */
export interface Address {
  host: string;
  port: number;
}

/** `ERR_CBT_INVALID_ARGUMENT` for a port that there is none of; `ERR_CBT_UNSUPPORTED` for a socket of the file system. */
export function parseAddress(wire: string, text: string): Address {
  if (text.startsWith('unix:'))
    throw new CbtError('ERR_CBT_UNSUPPORTED', `wires.${wire}.address is ${text}, expected <host>:<port>`, {
      details: { wire, address: text },
    });
  const at = text.lastIndexOf(':');
  const port = Number(text.slice(at + 1));
  if (port <= 65_535) return { host: text.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port };
  throw new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `wires.${wire}.address is ${text}, expected a port up to 65535`,
    {
      details: { wire, address: text },
    },
  );
}
