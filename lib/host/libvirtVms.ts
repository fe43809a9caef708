/**
 * The domains of a libvirt as VMs of the inventory: asked anew each time, once for all who ask at the same time; the same objects as long as
 * they are called the same.
 */
import { formatDomainAddress } from '../backend/libvirt/domainName.js';
import type { DomainRef } from '../backend/libvirt/libvirt.js';
import { CbtError } from '../core/errors.js';
import type { CallOptions, Vm } from '../core/vm.js';
import { within } from '../core/within.js';
import { HostVm, type VmEntry } from './hostVm.js';

/** For a listing in all, from the connecting on: a libvirt that hangs takes no more of whoever wants to know of all VMs. */
const LIST_MS = 5_000;
/** For how long nobody asks it again that let its last asker wait in vain. */
const SILENT_MS = 5_000;

/** Every domain of a libvirt, running or off. */
async function domainsIn(uri: string, { signal }: CallOptions): Promise<DomainRef[]> {
  const { parseLibvirtUri } = await import('../backend/libvirt/libvirtUri.js');
  const { Libvirt } = await import('../backend/libvirt/libvirt.js');
  await using libvirt = await Libvirt.connect(parseLibvirtUri(uri), { signal });
  return await libvirt.domains({ signal });
}

/** Addresses of all domains of a libvirt, by their names. */
export async function addressesIn(uri: string, options: CallOptions = {}): Promise<string[]> {
  const { parseLibvirtUri } = await import('../backend/libvirt/libvirtUri.js');
  const where = parseLibvirtUri(uri);
  const domains = await domainsIn(uri, options);
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
  /** The listing under way. */
  #asking: Promise<readonly DomainRef[]> | null = null;
  /** That it did not answer in time, and until when nobody asks it again, by the clock of the process. */
  #late: { why: CbtError; until: number } | null = null;

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
    try {
      const domains = await this.#domains();
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

  async #domains(): Promise<readonly DomainRef[]> {
    if (this.#late !== null && performance.now() < this.#late.until) throw this.#late.why;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<readonly DomainRef[]> {
    try {
      const options: CallOptions = { timeoutMs: LIST_MS };
      return await within(`listing the domains of ${this.uri}`, options, (own) =>
        domainsIn(this.uri, { signal: own?.signal }),
      );
    } catch (error) {
      // What fails at once costs nobody anything, and may be mended the next moment.
      if (error instanceof CbtError && error.code === 'ERR_CBT_TIMEOUT')
        this.#late = { why: error, until: performance.now() + SILENT_MS };
      throw error;
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
