/** The way to a domain's QEMU through its libvirt. */
import type { CallOptions } from '../../core/callOptions.js';
import { untilAborted } from '../../core/untilAborted.js';
import { within } from '../../core/within.js';
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

  /** Its libvirt and its UUID: names of domains change. Asked once, for all who want to know. */
  identity(options?: CallOptions): Promise<string> {
    const identity = this.#identity ?? onDomain(this.address, {}, async ({ address }) => address);
    this.#identity = identity;
    identity.catch(() => {
      this.#identity = null;
    });
    const what = 'asking libvirt for the domain';
    return within(what, options, (own) => untilAborted(identity, own?.signal, what));
  }

  connect({ commandTimeoutMs, ...options }: QmpOptions = {}): Promise<QmpPort> {
    return within(`connecting to ${this.address}`, options, async (own) => {
      const { timeoutMs, signal } = own ?? {};
      const found = await findDomain(this.address, { timeoutMs, signal });
      try {
        if (found.domain.id < 0) throw domainIsOff(this.address);
        return await DomainMonitor.open(
          { found, name: this.address, commandTimeoutMs },
          (port) => DomainHost.ofDomain(found, port, { timeoutMs, signal }),
          { timeoutMs, signal },
        );
      } catch (error) {
        await found.libvirt.close();
        throw error;
      }
    });
  }

  /** By libvirt, which has the agent. */
  async thawLeft(_agent: string, signal?: AbortSignal): Promise<boolean> {
    return onDomain(this.address, { signal }, (found) => thawLeftDomain(found, signal));
  }
}
