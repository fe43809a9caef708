/** The way to a domain's QEMU through its libvirt. */
import type { QmpOptions } from '../qemu/qmp/qmpClient.js';
import type { QmpPort } from '../qemu/qmp/qmpPort.js';
import type { WayToQemu } from '../qemu/wayToQemu.js';
import { DomainHost } from './domainHost.js';
import { DomainMonitor, domainIsOff } from './domainMonitor.js';
import { parseDomainAddress } from './domainName.js';
import { findDomain, onDomain } from './findDomain.js';
import { thawLeftDomain } from './guestFreeze.js';

export class DomainWay implements WayToQemu {
  /** The domain's UUID, once somebody asked. */
  #identity: Promise<string> | null = null;

  /** `libvirt:<uri>#<domain>`. */
  constructor(readonly address: string) {
    parseDomainAddress(address);
  }

  /** Its libvirt and its UUID: names of domains change. */
  identity(): Promise<string> {
    const identity = this.#identity ?? onDomain(this.address, {}, async ({ address }) => address);
    this.#identity = identity;
    identity.catch(() => {
      this.#identity = null;
    });
    return identity;
  }

  async connect({ timeoutMs, signal, commandTimeoutMs }: QmpOptions = {}): Promise<QmpPort> {
    const found = await findDomain(this.address, { timeoutMs, signal });
    try {
      const { libvirt, domain, address } = found;
      if (domain.id < 0) throw domainIsOff(this.address);
      const name = this.address;
      return await DomainMonitor.open(
        { libvirt, domain, name, commandTimeoutMs },
        (port) => DomainHost.ofDomain({ libvirt, domain, address }, port, { timeoutMs, signal }),
        { timeoutMs, signal },
      );
    } catch (error) {
      await found.libvirt.close();
      throw error;
    }
  }

  /** By libvirt, which has the agent. */
  async thawLeft(_agent: string, signal?: AbortSignal): Promise<boolean> {
    return onDomain(this.address, { signal }, (found) => thawLeftDomain(found, signal));
  }
}
