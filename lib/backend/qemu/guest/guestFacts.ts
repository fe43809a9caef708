/**
 * What a guest says of itself through its agent: its name, and its network cards with their addresses. It is said by the guest, who may
 * say anything: it is checked, bounded, and nothing but shown.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { CallOptions } from '../../../core/callOptions.js';
import { within } from '../../../core/within.js';
import { GuestAgent } from './guestAgent.js';

const MOST_CARDS = 64;
const MOST_ADDRESSES = 64;
const ADDRESS = z.looseObject({ 'ip-address': z.string().max(64) });
const CARD = z.looseObject({
  name: z.string().max(256),
  'hardware-address': z.string().max(64).optional(),
  'ip-addresses': z.array(ADDRESS).optional(),
});
const CARDS = z.array(CARD);
const HOST_NAME = z.looseObject({ 'host-name': z.string().min(1).max(255) });
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

export interface GuestCard {
  /** Lower case, with colons. */
  mac: string;
  /** In the guest's order; none that is no address. */
  addresses: string[];
}

export interface GuestFacts {
  /** Of the agent. */
  version: string;
  hostName: string | null;
  /** Without those that have no address of their own, such as the loopback. */
  cards: GuestCard[];
}

/** Asks the agent behind a socket, in `timeoutMs` for all of it; a command that it does not have is answered by nothing. */
export function readGuestFacts(path: string, options: CallOptions): Promise<GuestFacts> {
  return within('what the guest says of itself', options, (own) => read(path, { signal: own?.signal }));
}

async function read(path: string, options: CallOptions): Promise<GuestFacts> {
  await using agent = await GuestAgent.connect(path, options);
  const { version, commands } = await agent.info(options);
  const ask = async <T>(command: string, schema: z.ZodType<T>): Promise<T | null> => {
    if (!commands.has(command)) return null;
    return schema.safeParse(await agent.execute(command, undefined, options)).data ?? null;
  };
  const name = await ask('guest-get-host-name', HOST_NAME);
  const cards = await ask('guest-network-get-interfaces', CARDS);
  return { version, hostName: name?.['host-name'] ?? null, cards: cardsOf(cards ?? []) };
}

function cardsOf(cards: z.infer<typeof CARDS>): GuestCard[] {
  return cards.slice(0, MOST_CARDS).flatMap((card) => {
    const mac = card['hardware-address'] ?? '';
    if (!MAC.test(mac) || mac === '00:00:00:00:00:00') return [];
    const addresses = (card['ip-addresses'] ?? [])
      .slice(0, MOST_ADDRESSES)
      .map((one) => one['ip-address'])
      .filter((address) => isIP(address) !== 0);
    return [{ mac: mac.toLowerCase(), addresses }];
  });
}
