/** Where a domain's QEMU runs: as its XML says, and as what is seen of its process. */
import { parseSegmentName } from '../../core/segmentName.js';
import type { SessionMode } from '../../core/session.js';
import type { WaitOptions } from '../../linux/waiting.js';
import type { FreezeOptions, FrozenResult } from '../qemu/guest/frozenWork.js';
import type { RecordedVm } from '../qemu/qemuHost.js';
import { qmp } from '../qemu/qmp/commands.js';
import type { QmpPort } from '../qemu/qmp/qmpPort.js';
import { SocketHost, unsafeOverlay } from '../qemu/socketHost.js';
import { LIBVIRT_PREFIX } from './domainName.js';
import { type DomainDescription, parseDomainXml } from './domainXml.js';
import type { FoundDomain } from './findDomain.js';
import { thawLeftDomain, whileDomainFrozen } from './guestFreeze.js';
import { describeJob } from './jobs.js';

export class DomainHost extends SocketHost {
  readonly #behind: FoundDomain;
  readonly #qemu: QmpPort;
  #description: DomainDescription;

  private constructor(behind: FoundDomain, qemu: QmpPort, monitor: string, description: DomainDescription) {
    super({ key: behind.domain.uuid, socket: monitor, port: qemu, address: behind.address });
    this.#behind = behind;
    this.#qemu = qemu;
    this.#description = description;
    void this.#forgetUnplugged();
  }

  static async ofDomain(behind: FoundDomain, qemu: QmpPort, options: WaitOptions): Promise<DomainHost> {
    const { libvirt, domain } = behind;
    const description = parseDomainXml(domain.name, await libvirt.xml(domain, options));
    return new DomainHost(behind, qemu, await monitorOf(qemu, options), description);
  }

  override async isOf({ key, vm }: RecordedVm): Promise<boolean> {
    if (vm === this.address) return key === undefined || key === this.key;
    // One UUID in two libvirts is two domains.
    if (vm.startsWith(LIBVIRT_PREFIX)) return false;
    return super.isOf(key === undefined ? { vm } : { key, vm });
  }

  override async namesOfDevices(
    devices: readonly string[],
    options?: WaitOptions,
  ): Promise<ReadonlyMap<string, string>> {
    const known = namesOf(this.#description);
    if (devices.every((device) => known.has(device))) return known;
    const { libvirt, domain } = this.#behind;
    this.#description = parseDomainXml(domain.name, await libvirt.xml(domain, options));
    return namesOf(this.#description);
  }

  override async definition(options: WaitOptions = {}): Promise<string> {
    const { libvirt, domain } = this.#behind;
    return libvirt.xml(domain, { ...options, inactive: true });
  }

  override async riskOfTracking(options?: WaitOptions): Promise<string | null> {
    const nodes = await qmp(this.#qemu, 'query-named-block-nodes', { flat: true }, options);
    const tracked = nodes.filter((node) =>
      node['dirty-bitmaps']?.some(({ name }) => name !== undefined && parseSegmentName(name) !== null),
    );
    const names = new Set(tracked.flatMap(({ image }) => image.snapshots?.map(({ name }) => name) ?? []));
    if (names.size === 0) return null;
    return `it has internal snapshots (${[...names].join(', ')}) and bitmaps: QEMU ends, guest and all, when libvirt reverts to one while a bitmap is there`;
  }

  override async refuseMode(mode: SessionMode): Promise<void> {
    if (mode === 'overlay') throw unsafeOverlay(this.#qemu.name);
  }

  override async otherJob(signal?: AbortSignal): Promise<string | null> {
    const { libvirt, domain } = this.#behind;
    return describeJob(await libvirt.job(domain, { signal }));
  }

  override agentAddress(_socket: string | undefined): string {
    return this.address;
  }

  override async thawLeft(_agent: string, signal?: AbortSignal): Promise<boolean> {
    return thawLeftDomain(this.#behind, signal);
  }

  override async whileFrozen<T>(
    _agent: string,
    work: (stop: AbortSignal, frozenFileSystems: number) => Promise<T>,
    options?: FreezeOptions,
  ): Promise<FrozenResult<T>> {
    return whileDomainFrozen(this.#behind, work, options);
  }

  override get confinedBy(): string | null {
    return this.#description.confinedBy;
  }

  /** Whom libvirt runs it as, where its process is not seen. */
  protected override async ownerElsewhere(): Promise<{ uid: number; gid: number } | null> {
    return this.#description.owner;
  }

  /** A device that comes later may take the name of one that went. */
  async #forgetUnplugged(): Promise<void> {
    try {
      for await (const { event } of this.#qemu.events())
        if (event === 'DEVICE_DELETED') this.#description = { ...this.#description, disks: [] };
    } catch {
      // The connection is gone, and with it whoever asks.
    }
  }
}

function namesOf({ disks }: DomainDescription): Map<string, string> {
  return new Map(disks.flatMap(({ alias, target }) => (alias === null ? [] : [[alias, target] as const])));
}

/** The path of libvirt's own monitor, behind which QEMU's process is seen. */
async function monitorOf(qemu: QmpPort, options: WaitOptions): Promise<string> {
  const devices = await qmp(qemu, 'query-chardev', undefined, options);
  const filename = devices.find(({ label }) => label === 'charmonitor')?.filename ?? '';
  return /^unix:(\/[^,]+)/.exec(filename)?.[1] ?? '';
}
