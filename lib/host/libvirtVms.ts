/** The domains of a libvirt as VMs of the inventory: asked anew each time, the same objects as long as they are called the same. */
import { formatDomainAddress } from '../backend/libvirt/domainName.js';
import { CbtError } from '../core/errors.js';
import type { CallOptions, Vm } from '../core/vm.js';
import { HostVm, type VmEntry } from './hostVm.js';

/** Addresses of all domains of a libvirt, by their names. */
export async function addressesIn(uri: string, { signal }: CallOptions = {}): Promise<string[]> {
  const { parseLibvirtUri } = await import('../backend/libvirt/libvirtUri.js');
  const { Libvirt } = await import('../backend/libvirt/libvirt.js');
  const where = parseLibvirtUri(uri);
  await using libvirt = await Libvirt.connect(where, { signal });
  const domains = await libvirt.domains({ signal });
  // A # in a name would be taken for the end of it.
  return domains
    .map(({ name, uuid }) => formatDomainAddress(where.uri, name.includes('#') ? uuid : name))
    .sort();
}

/** A domain as a VM. */
export type DomainEntry = VmEntry & { libvirt: string };
/** Makes the VM of a domain, or knows the one that it made before. */
type MakeVm = (entry: DomainEntry) => HostVm;

export class LibvirtVms {
  #silent: SilentLibvirt | null = null;
  #listed: readonly HostVm[];

  /** `before`: what another one of the same libvirt listed. */
  constructor(
    readonly uri: string,
    private readonly make: MakeVm,
    private readonly stateFolder: string | undefined,
    before: LibvirtVms | undefined = undefined,
  ) {
    this.#listed = before === undefined ? [] : before.#listed;
  }

  /**
   * Every domain; one whose name is `taken`, or is none that a VM can have, is called by its address. A libvirt that does not answer is one
   * VM that says so, beside the domains that it had: they are not forgotten by whoever goes over all of them.
   */
  async list(taken: ReadonlySet<string>, except: (domain: string) => boolean): Promise<HostVm[]> {
    const { parseLibvirtUri } = await import('../backend/libvirt/libvirtUri.js');
    const { Libvirt } = await import('../backend/libvirt/libvirt.js');
    try {
      await using libvirt = await Libvirt.connect(parseLibvirtUri(this.uri));
      const domains = await libvirt.domains();
      this.#listed = domains
        .filter(({ name, uuid }) => !except(name) && !except(uuid))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, uuid }) => this.#vm(name, uuid, taken));
      return [...this.#listed];
    } catch (error) {
      if (!(error instanceof CbtError)) throw error;
      this.#silent ??= new SilentLibvirt(this.uri, error, this.stateFolder);
      this.#silent.why = error;
      return [...this.#listed, this.#silent];
    }
  }

  #vm(domain: string, uuid: string, taken: ReadonlySet<string>): HostVm {
    const plain = PLAIN_NAME.test(domain) && !taken.has(domain);
    const name = plain ? domain : formatDomainAddress(this.uri, domain);
    return this.make({ name, uuid, libvirt: `${this.uri}#${uuid}` });
  }
}

/** What is remembered of a domain hangs on its UUID: its name may change. */
export function domainVm(entry: DomainEntry, stateFolder?: string): HostVm {
  return new HostVm(entry, stateFolder, `libvirt:${entry.libvirt}`);
}

/** As the host file has them: what `--vm` can tell from paths, ids and addresses. */
const PLAIN_NAME = /^(?!\.|(qmp|libvirt|rbd):|(vm-)?[0-9]+$)[^/#]+$/;

/** Stands for the domains of a libvirt that does not answer. */
class SilentLibvirt extends HostVm {
  constructor(
    uri: string,
    /** As it was asked last. */
    public why: CbtError,
    stateFolder: string | undefined,
  ) {
    super({ name: `libvirt:${uri}`, libvirt: `${uri}#` }, stateFolder);
  }

  override get unknown(): boolean {
    return true;
  }

  override async reach(_options?: CallOptions): Promise<Vm> {
    throw this.why;
  }

  override async holders(): Promise<never> {
    throw this.why;
  }
}
