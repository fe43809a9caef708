/**
 * Which VMs this machine has: those of the host file, or those that a program passes. Every surface asks it, and it alone says what
 * a name means. Exact names come first; a name that means two things is refused with both, and never one of them taken.
 */
import { lstat } from 'node:fs/promises';
import { formatDomainAddress, LIBVIRT_PREFIX } from '../backend/libvirt/domainName.js';
import { inCallersTime } from '../core/callersTime.js';
import { CbtError, invalidArgument, throwIfAborted } from '../core/errors.js';
import { ofEach } from '../core/ofEach.js';
import { type Check, type Checks, checkOptions, listOf, plainObject, text } from '../core/options.js';
import { timeLeft } from '../core/timeLeft.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import { untilAborted } from '../core/untilAborted.js';
import type { CallOptions } from '../core/vm.js';
import { type ParsedName, parseDiskName, parseVmName } from './diskName.js';
import { findHostFile, type HostFile } from './hostFile.js';
import { HostVm, idText, type VmEntry } from './hostVm.js';
import { type DomainEntry, domainVm, LibvirtVms } from './libvirtVms.js';
import { checkOpen, type OpenDiskOptions, openDisk } from './open.js';
import { searchUuid } from './uuidSearch.js';
import { vmList } from './vmEntryChecks.js';
import { wayTo } from './ways.js';

const OPTIONS: Checks<InventoryOptions> = { file: text, env: plainObject, vms: vmList, stateFolder: text };

const hostVm: Check = (value, name) => {
  if (!(value instanceof HostVm)) throw invalidArgument(name, value, 'a VM of an inventory');
};

/** Wires that this version has. */
const SERVED_WIRES: ReadonlySet<string> = new Set(['vim', 'metrics']);

/** Where the VMs are told. */
export interface InventoryOptions {
  /** A host file; that of the environment, or of the machine, unless given. */
  file?: string | undefined;
  /** Variables of the environment; those of this process unless given. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** VMs that a program passes; then no file is read. */
  vms?: readonly VmEntry[] | undefined;
  /** Where VMs are remembered; QEMU_CBT_STATE, else /var/lib/qemu-cbt or the user's own state folder, unless given. */
  stateFolder?: string | undefined;
}

/** A disk that was found: an image, or one of a VM. */
export type DiskPlace = { path: string } | { vm: HostVm; disk: string };

interface Loaded {
  file: HostFile | null;
  vms: readonly HostVm[];
  libvirts: readonly LibvirtVms[];
}

/**
 * The VMs of this machine. The host file is read when it is first needed, and again on `reload`. A VM is one object for as long as anybody has it.
 * @example
 * ```ts
 * const inventory = new Inventory({ vms: [{ name: 'web', qmpSocket: '/run/vms/web.qmp' }] });
 * await using vm = await (await inventory.require('web')).connect();
 * ```
 */
export class Inventory {
  readonly #options: InventoryOptions;
  /** Those that were made, by the files of what is remembered of them. */
  readonly #made = new Map<string, WeakRef<HostVm>>();
  /** Those that a program passed; none where a file tells them. */
  readonly passed: readonly HostVm[];
  #loaded: Promise<Loaded> | null = null;
  /** As they were made last: another one of the same libvirt goes on from it. */
  #libvirts: readonly LibvirtVms[] = [];

  /**
   * Nothing is read or asked yet.
   * @param options VMs, or a host file; the machine’s own file unless given.
   */
  constructor(options: InventoryOptions = {}) {
    checkOptions('Inventory', options, OPTIONS);
    this.#options = options;
    this.passed = options.vms?.map((entry) => new HostVm(entry, options.stateFolder)) ?? [];
  }

  /**
   * In the order of the host file; then the domains of its libvirts, as they are now.
   * @param options Signal and deadline.
   * @throws `CbtError` for a host file that is wrong, or a libvirt that does not answer.
   */
  async vms(options?: CallOptions): Promise<readonly HostVm[]> {
    return inCallersTime('vms', options, ({ signal }) => this.#vms(signal));
  }

  async #vms(signal: AbortSignal | undefined): Promise<readonly HostVm[]> {
    const { vms, libvirts } = await this.#load(signal);
    if (libvirts.length === 0) return vms;
    for (const [file, made] of this.#made) if (made.deref() === undefined) this.#made.delete(file);
    const all = [...vms];
    const named = new Set(vms.map(({ entry }) => entry.libvirt));
    for (const libvirt of libvirts) {
      const taken = new Set(all.map(({ name }) => name));
      const listing = libvirt.list(taken, (domain) => named.has(`${libvirt.uri}#${domain}`));
      all.push(...(await untilAborted(listing, signal, 'the listing')));
    }
    return all;
  }

  /**
   * The domains of a libvirt, in no host file or in one.
   * @param uri A libvirt’s URI.
   * @param options Signal and deadline.
   * @throws `CbtError` where it does not answer.
   */
  async domainsOf(uri: string, options?: CallOptions): Promise<readonly HostVm[]> {
    if (uri !== '') text(uri, 'uri');
    const { stateFolder } = this.#options;
    const make = (entry: DomainEntry): HostVm => domainVm(entry, stateFolder);
    return inCallersTime('domainsOf', options, ({ signal }) => {
      const listing = new LibvirtVms(uri, make, stateFolder).list(new Set(), () => false);
      return untilAborted(listing, signal, 'the listing');
    });
  }

  /**
   * The host file; null where there is none, or a program passed the VMs.
   * @param options Signal and deadline.
   * @throws `CbtError` for a host file that is wrong.
   */
  async file(options?: CallOptions): Promise<HostFile | null> {
    return inCallersTime('file', options, async ({ signal }) => (await this.#load(signal)).file);
  }

  /**
   * Every folder that sessions of these VMs are given for their files.
   * @param options Signal and deadline.
   * @throws `CbtError` for a host file that is wrong.
   */
  async scratchPlaces(options?: CallOptions): Promise<string[]> {
    const { file, vms } = await inCallersTime('scratchPlaces', options, ({ signal }) => this.#load(signal));
    const own = vms.map(({ entry }) => entry.scratchFolder);
    return [...new Set([file?.says.defaults?.scratchFolder, ...own].filter((place) => place !== undefined))];
  }

  /**
   * What the host file names and this version does not serve, as a person calls it.
   * @param options Signal and deadline.
   * @throws `CbtError` for a host file that is wrong.
   */
  async unserved(options?: CallOptions): Promise<string[]> {
    return inCallersTime('unserved', options, ({ signal }) => this.#unserved(signal));
  }

  async #unserved(signal: AbortSignal | undefined): Promise<string[]> {
    const says = (await this.#load(signal)).file?.says ?? {};
    return [
      ...(await this.#vms(signal)).filter(({ served }) => !served).map(({ notServed }) => notServed.message),
      ...Object.entries(says.datastores ?? {}).flatMap(([name, { pool }]) =>
        pool === undefined ? [] : [`datastore ${name}: ${pool}`],
      ),
      ...Object.keys(says.wires ?? {}).flatMap((name) => (SERVED_WIRES.has(name) ? [] : [`wire ${name}`])),
    ];
  }

  /**
   * A VM by its name, its number (`vm-7`), its UUID, `qmp:<socket>` or the path of its socket, `libvirt:<uri>#<domain>`; null where there is none.
   * @param name Name, number, UUID or address.
   * @param options Signal and deadline.
   * @throws `CbtError` for one that fits two.
   */
  async find(name: string, options?: CallOptions): Promise<HostVm | null> {
    return inCallersTime('find', options, (own) => this.#find(name, own));
  }

  async #find(name: string, options: CallOptions): Promise<HostVm | null> {
    const parsed = parseVmName(name);
    if (parsed.kind !== 'vm') return this.#adHoc(parsed, options);
    const found = await this.#byName(parsed.vm, options);
    const isFile = await isThere(name);
    if (found !== null && isFile)
      throw twoMeanings('--vm', name, `the VM of ${await this.#where()}`, 'a socket here');
    return found ?? (isFile ? this.#adHoc({ kind: 'path', path: name }, options) : null);
  }

  /**
   * The same, where there must be one: lists those that there are.
   * @param name Name, number, UUID or address.
   * @param options Signal and deadline.
   * @throws `CbtError` for one that fits none, or two.
   */
  async require(name: string, options?: CallOptions): Promise<HostVm> {
    return inCallersTime('require', options, async (own) => {
      const found = await this.#find(name, own);
      if (found !== null) return found;
      throw invalidArgument('--vm', name, `the path of a QMP socket, or ${await this.#those()}`);
    });
  }

  /**
   * What a disk's name means: `<vm>#<disk>` and a file of that name are both looked for.
   * @param name A disk, as the command takes it.
   * @param options Signal and deadline.
   * @throws `CbtError` for one that fits none, or two.
   */
  async findDisk(name: string, options?: CallOptions): Promise<DiskPlace> {
    return inCallersTime('findDisk', options, (own) => this.#findDisk(name, own));
  }

  async #findDisk(name: string, options: CallOptions): Promise<DiskPlace> {
    const parsed = parseDiskName(name);
    if (parsed.kind === 'path') return { path: parsed.path };
    const { disk } = parsed;
    if (parsed.kind !== 'vm') {
      const form = parsed.kind === 'qmp' ? 'qmp:<QMP socket>#<disk>' : 'libvirt:<uri>#<domain>#<disk>';
      if (disk === '') throw invalidArgument('disk', name, form);
      return { vm: await this.#adHoc(parsed, options), disk };
    }
    const vm = await this.#byName(parsed.vm, options);
    const isFile = await isThere(name);
    if (vm !== null && isFile)
      throw twoMeanings('disk', name, `a disk of the VM ${vm.name} of ${await this.#where()}`, 'a file here');
    if (vm !== null) return { vm, disk };
    if (isFile || (await this.#vms(options.signal)).length === 0) return { path: name };
    throw invalidArgument('disk', name, `the path of a file, or a disk of ${await this.#those()}`);
  }

  /**
   * Opens a disk for questions, by every name that a disk may have.
   * @param name A disk, as the command takes it.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` for one that fits none, or two, or cannot be read.
   */
  async openDisk(name: string, options: OpenDiskOptions = {}): Promise<TrackedDisk> {
    checkOpen(name, options);
    const left = timeLeft(options);
    const found = await this.findDisk(name, left());
    const own = { ...options, ...left() };
    return 'path' in found ? openDisk(found.path, own) : found.vm.openDisk(found.disk, own);
  }

  /**
   * Reads the host file again. One with an error is refused, and what was read before stays. A VM that stays is the same object, with what the
   * file says of it now; by its name in the file, and a domain by its UUID.
   * @param options Signal and deadline.
   * @throws `CbtError` for a file with an error: everything stays as it was.
   */
  async reload(options?: CallOptions): Promise<void> {
    await inCallersTime('reload', options, async ({ signal }) => {
      const next = this.#read(signal);
      await next;
      this.#loaded = next;
    });
  }

  /** Read once, for all who ask. */
  #load(signal?: AbortSignal): Promise<Loaded> {
    this.#loaded ??= this.#read();
    return untilAborted(this.#loaded, signal, 'reading the host file');
  }

  async #read(signal?: AbortSignal): Promise<Loaded> {
    const { file, env = process.env, vms, stateFolder } = this.#options;
    if (vms !== undefined) return { file: null, vms: this.passed, libvirts: [] };
    const found = await untilAborted(findHostFile(file, env), signal, 'reading the host file');
    const { vms: entries = [], libvirt = [], defaults = {} } = found?.says ?? {};
    const make = (entry: DomainEntry): HostVm =>
      this.#known(domainVm({ ...defaults, ...entry }, stateFolder));
    this.#libvirts = [...new Set(libvirt)].map(
      (uri) =>
        new LibvirtVms(
          uri,
          make,
          stateFolder,
          this.#libvirts.find((one) => one.uri === uri),
        ),
    );
    return {
      file: found,
      vms: entries.map((entry) => this.#known(new HostVm({ ...defaults, ...entry }, stateFolder))),
      libvirts: this.#libvirts,
    };
  }

  /** The VM as it was made before, which becomes this one; else this one. */
  #known(vm: HostVm): HostVm {
    const known = this.#made.get(vm.records.file)?.deref();
    known?.become(vm.entry);
    if (known !== undefined) return known;
    this.#made.set(vm.records.file, new WeakRef(vm));
    return vm;
  }

  async #byName(name: string, options: CallOptions): Promise<HostVm | null> {
    const vms = await this.#vms(options.signal);
    const [found, other] = vms.filter((vm) => vm.name === name);
    if (found !== undefined && other !== undefined)
      throw invalidArgument(
        'VM',
        name,
        `that of one VM; it is that of ${addressOf(found)} and ${addressOf(other)}`,
      );
    return found ?? (await this.numbered(name, vms, options)) ?? (await this.#byUuid(name, vms, options));
  }

  /**
   * A VM by its number (`vm-7`); `vms`: as they were listed just now. In the order of the host file: VMs that have none yet get theirs so.
   * @param number `vm-<number>`.
   * @param vms Those that are looked at; all unless given.
   * @param options Signal and deadline.
   * @returns The VM; null for what is no number of one.
   */
  async numbered(number: string, vms?: readonly HostVm[], options?: CallOptions): Promise<HostVm | null> {
    text(number, 'number');
    if (vms !== undefined) listOf(hostVm)(vms, 'vms');
    return inCallersTime('numbered', options, async (own) => {
      if (!/^vm-[1-9]\d*$/.test(number)) return null;
      for (const vm of vms ?? (await this.#vms(own.signal)))
        if (idText(await vm.id(own)) === number) return vm;
      return null;
    });
  }

  async #byUuid(text: string, vms: readonly HostVm[], options: CallOptions): Promise<HostVm | null> {
    const { found, silent } = await searchUuid(text, vms, (vm) => vm.uuid(options));
    const [first] = found;
    if (first !== undefined && found.length === 1) return first;
    if (first !== undefined)
      throw invalidArgument(
        'UUID',
        text,
        `that of one VM; it is that of ${found.map(({ name }) => name).join(', ')}`,
      );
    if (silent.length === 0) return null;
    const why = silent.map(({ vm, error }) => `${vm.name} did not tell its own: ${error.message}`);
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `no VM that could be asked has the UUID ${text}; ${why.join('; ')}`,
      { details: { uuid: text } },
    );
  }

  /** The VMs of the file that are this domain, by whatever name of it; none where there is no file that can be read. */
  async #namedDomains(identity: string, signal: AbortSignal | undefined): Promise<HostVm[]> {
    const { vms } = await this.#load(signal).catch(() => ({ vms: [] }));
    const domains = vms.filter((vm) => vm.entry.libvirt !== undefined && vm.served);
    // One that does not tell who it is has no libvirt that answers, or no such domain: this one has both.
    const told = await ofEach(domains, (vm) => vm.identity(signal).catch(() => null));
    throwIfAborted(signal);
    return domains.filter((_, at) => told[at] === identity);
  }

  /** A VM that the caller names by its address; a socket is known to nobody else, a domain is who its libvirt says: one of the file, where it is that. */
  async #adHoc(parsed: Exclude<ParsedName, { kind: 'vm' }>, { signal }: CallOptions): Promise<HostVm> {
    if (parsed.kind === 'libvirt') {
      const { uri, domain } = parsed;
      const address = await (await wayTo(formatDomainAddress(uri, domain))).identity({ signal });
      const [named, other] = await this.#namedDomains(address, signal);
      if (named !== undefined && other !== undefined)
        throw invalidArgument(
          'VM',
          address,
          `one VM of ${await this.#where()}: it is ${named.name} and ${other.name}`,
        );
      if (named !== undefined) return named;
      const libvirt = address.slice(LIBVIRT_PREFIX.length);
      return domainVm({ name: formatDomainAddress(uri, domain), libvirt }, this.#options.stateFolder);
    }
    const qmpSocket = parsed.kind === 'path' ? parsed.path : parsed.socket;
    return new HostVm({ name: qmpSocket, qmpSocket }, this.#options.stateFolder);
  }

  async #those(): Promise<string> {
    const { file, vms } = await this.#load();
    if (vms.length === 0)
      return file === null ? 'a VM of a host file (there is none)' : `a VM of ${file.path} (it has none)`;
    return `a VM of ${await this.#where()}: ${vms.map(({ name }) => name).join(', ')}`;
  }

  async #where(): Promise<string> {
    return (await this.file())?.path ?? 'this program';
  }
}

function addressOf({ entry: { qmpSocket, libvirt } }: HostVm): string {
  return String(qmpSocket ?? libvirt);
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

function twoMeanings(argument: string, name: string, one: string, other: string): CbtError {
  return invalidArgument(argument, name, `a name of one thing: it is ${one} and ${other} (./${name})`);
}
