/** Whether a server's name means this machine: VMs of it are all that there is, and those of another must never be taken for them. */
import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';
import { VixFailure } from '../../../facade/vixdisklib/errors.js';
import { VIX_E_CANNOT_CONNECT_TO_HOST } from '../../../facade/vixdisklib/index.js';

/** Throws VIX_E_CANNOT_CONNECT_TO_HOST for another machine's name. NULL and the empty name are this machine. */
export async function requireOwnName(server: string | null): Promise<void> {
  if (server === null || server === '') return;
  const name = server.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  const own = hostname().toLowerCase();
  if (name === 'localhost' || name === own || name === own.split('.')[0]) return;
  const addresses = new Set(
    Object.values(networkInterfaces()).flatMap((of) => (of ?? []).map(({ address }) => address)),
  );
  const isOurs = (address: string) => addresses.has(address) || address === '::1' || /^127\./.test(address);
  const found = await lookup(name, { all: true }).catch(() => []);
  if (found.length > 0 && found.every(({ address }) => isOurs(address))) return;
  throw new VixFailure(
    VIX_E_CANNOT_CONNECT_TO_HOST,
    `serverName ${server} is not this machine, ${own}: only the VMs of this machine are reached`,
  );
}
