/** The guest of a VM as clients read it: what its agent says, and that there are no tools where none answers. */
import { isIP } from 'node:net';
import type { GuestFacts } from '../../../host/guestFacts.js';
import { NETWORK_NAME } from './places.js';

const NO_TOOLS = {
  toolsStatus: 'toolsNotInstalled',
  toolsVersionStatus: 'guestToolsNotInstalled',
  toolsVersionStatus2: 'guestToolsNotInstalled',
  toolsRunningStatus: 'guestToolsNotRunning',
};
/** An agent that the guest's own distribution keeps. */
const TOOLS = {
  toolsStatus: 'toolsOk',
  toolsVersionStatus: 'guestToolsUnmanaged',
  toolsVersionStatus2: 'guestToolsUnmanaged',
  toolsRunningStatus: 'guestToolsRunning',
};

/** Its addresses, the one that it is reached by first: IPv4 before IPv6, none that is of its link alone. */
export function addressesOf({ cards }: GuestFacts): string[] {
  const all = cards.flatMap(({ addresses }) => addresses);
  const wide = all.filter((address) => !/^(127\.|169\.254\.|::1$|fe[89ab])/i.test(address));
  return [...wide.filter((one) => isIP(one) === 4), ...wide.filter((one) => isIP(one) === 6)];
}

/** As it stands in `summary` too. */
export function guestSummaryOf(facts: GuestFacts | null) {
  if (facts === null) return NO_TOOLS;
  const [ipAddress] = addressesOf(facts);
  return { ...TOOLS, hostName: facts.hostName ?? undefined, ipAddress };
}

/** GuestInfo. */
export function guestOf(running: boolean, facts: GuestFacts | null) {
  return {
    ...guestSummaryOf(facts),
    net: (facts?.cards ?? []).map(({ mac, addresses }) => ({
      _type: 'GuestNicInfo',
      network: NETWORK_NAME,
      ipAddress: addresses,
      macAddress: mac,
      connected: true,
      deviceConfigId: -1,
    })),
    disk: [],
    screen: undefined,
    guestState: running ? 'running' : 'notRunning',
    guestOperationsReady: false,
    interactiveGuestOperationsReady: false,
  };
}
