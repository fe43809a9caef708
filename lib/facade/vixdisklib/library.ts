/**
 * One client's use of the library: whether it is initialised, the service whose VMs it reads, where the datastores of its paths are,
 * where its log goes, what it was told last, and its connections. Nothing of it is another client's.
 */
import { isAbsolute, join, normalize } from 'node:path';
import { invalidArgument } from '../../core/errors.js';
import { type Check, type Checks, checkOptions, mapOf, text } from '../../core/options.js';
import { Holds } from '../../host/holds.js';
import { ClientState } from '../clientState.js';
import { closeAll } from '../closeAll.js';
import type { ServiceInstance, VirtualMachine } from '../vsphere/index.js';
import { VIX_E_DISK_NOINIT, VIX_E_FILE_NAME_INVALID, type VixError } from './constants/codes.js';
import { codeOf, invalid, VixFailure } from './errors.js';
import type { VixDiskLibGenericLogFunc } from './types.js';

/** Where disks are found that are not named by a plain path. */
export interface VixDiskLibSettings {
  /** The VMs that `vmxSpec` may name. */
  service?: ServiceInstance | undefined;
  /** Folder of each datastore in paths such as `[store] vm/disk.vmdk`; `local` is the file system itself unless given. */
  datastores?: Readonly<Record<string, string>> | undefined;
  /** Format (as QEMU names it) of images, by absolute path, whose names do not say it; told by the name unless given. */
  formats?: Readonly<Record<string, string>> | undefined;
}

export interface InitParameters {
  major: number;
  minor: number;
  log: VixDiskLibGenericLogFunc | null;
}

interface Connection {
  close(): Promise<void>;
}

/** What is called is looked for: whoever has no service does not load one. */
const service: Check = (value, name) => {
  const { findVm, findByMoref } = (value ?? {}) as Partial<ServiceInstance>;
  if (typeof findVm !== 'function' || typeof findByMoref !== 'function')
    throw invalidArgument(name, value, 'a service, as connect of qemu-cbt/vsphere gives it');
};

const SETTINGS: Checks<VixDiskLibSettings> = { service, datastores: mapOf(text), formats: mapOf(text) };

/**
 * A client's own library, for {@link runWithLibrary}. Closed, it has no connection any more, and takes none.
 * @example
 * ```ts
 * await using library = new Library({ datastores: { store1: '/var/lib/vms' } });
 * runWithLibrary(library, () => VixDiskLib_InitEx(8, 0, null));
 * ```
 */
export class Library implements AsyncDisposable {
  /** @internal */
  settings: VixDiskLibSettings;
  /** @internal Whether the client has a process of its own, which reads and writes images by their servers. */
  sharesServers = false;
  /** @internal Ends the work on images that is on its way. */
  signal: AbortSignal | undefined;
  /** @internal VMs that are kept as they are, between PrepareForAccess and EndAccess. */
  readonly holds = new Holds();
  /** What was said last about each code, for VixDiskLib_GetErrorText. */
  readonly #reasons = new Map<number, string>();
  readonly #connections = new Set<Connection>();
  #log: VixDiskLibGenericLogFunc | null = null;
  #initialised = false;
  #closed = false;

  /**
   * Settings as {@link configureVixDiskLib} takes them.
   * @param settings His own settings; those of the process are not his.
   * @returns A library that is not initialised yet.
   */
  constructor(settings: VixDiskLibSettings = {}) {
    checkOptions('Library', settings, SETTINGS);
    this.settings = settings;
  }

  /** @internal */
  initialise({ major, minor, log }: InitParameters): void {
    if (!Number.isInteger(major) || major < 1 || !Number.isInteger(minor) || minor < 0)
      throw invalid('majorVersion and minorVersion', 'a version from 1.0 on');
    this.#initialised = true;
    this.#log = log;
    // The shape that importers look for.
    log?.('VMware VixDiskLib (8.0.3) Release build-0 (qemu-cbt)\n');
  }

  /** @internal */
  deinitialise(): void {
    this.#initialised = false;
    this.#log = null;
  }

  /** @internal */
  requireInitialised(): void {
    if (!this.#initialised) throw new VixFailure(VIX_E_DISK_NOINIT, 'VixDiskLib_InitEx has not been called');
  }

  /**
   * @internal The VM that a `vmxSpec` names: `moref=` and a reference, whatever `findVm` takes, or the path of a configuration with
   * its datacenter and datastore, which is the VM of that name; null where there is none.
   */
  async findVm(spec: string): Promise<VirtualMachine | null> {
    const { service } = this.settings;
    const moref = /^moref=(.*)$/s.exec(spec)?.[1];
    if (moref !== undefined) return (await service?.findByMoref(moref)) ?? null;
    const found = (await service?.findVm(spec)) ?? null;
    const name = /(?:^|[/\]\s])([^/?]+)\.vmx\?dcPath=[^&]*&dsName=[^&]*$/.exec(spec)?.[1];
    if (found !== null || name === undefined) return found;
    const named = await service?.findVm(name);
    // A name, and nothing else that findVm takes.
    return named?.name === name ? named : null;
  }

  /** @internal Format of an image whose name does not say it. */
  toldFormat(file: string): string | undefined {
    const { formats = {} } = this.settings;
    return Object.hasOwn(formats, file) ? formats[file] : undefined;
  }

  /** @internal The file behind a path: absolute, or `[store] folder/name`, which stays inside its store. */
  fileOf(path: unknown): string {
    if (typeof path !== 'string' || path === '' || path.includes('\0')) throw invalid('path', 'a path');
    const stored = /^\[([^\]]*)\]\s*(.*)$/s.exec(path);
    if (stored === null) {
      if (isAbsolute(path)) return path;
      throw new VixFailure(
        VIX_E_FILE_NAME_INVALID,
        `${path} is neither absolute nor of the form [store] folder/name`,
      );
    }
    const [, store = '', name = ''] = stored;
    const stores = this.settings.datastores ?? {};
    const folder =
      (Object.hasOwn(stores, store) ? stores[store] : undefined) ?? (store === 'local' ? '/' : undefined);
    if (folder === undefined)
      throw new VixFailure(VIX_E_FILE_NAME_INVALID, `there is no datastore [${store}]`);
    const inside = normalize(`/${name}`);
    if (inside === '/' || name.split('/').includes('..'))
      throw new VixFailure(VIX_E_FILE_NAME_INVALID, `${path} leads out of its datastore`);
    return join(folder, inside);
  }

  /** @internal What a call answers for what was thrown inside it. */
  answer(thrown: unknown): VixError {
    const code = codeOf(thrown);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    this.#reasons.set(code, message);
    this.#log?.(message);
    return code;
  }

  /** @internal A line of the log. */
  say(message: string): void {
    this.#log?.(message);
  }

  /** @internal The newest reason for which this code was answered. */
  lastReasonOf(code: number): string | undefined {
    return this.#reasons.get(code);
  }

  /** @internal Keeps a connection until it is closed; one that was made while the library was closed is closed too. */
  async keep(connection: Connection): Promise<void> {
    this.#connections.add(connection);
    if (!this.#closed) return;
    await connection.close();
    throw new VixFailure(VIX_E_DISK_NOINIT, 'the library was closed while the connection was made');
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /**
   * Ends its use: closes every connection with its disks, all also where closing one fails, and lets go of the VMs it holds.
   * @throws `CbtError` where closing something failed; everything is closed all the same.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const told = (close: () => Promise<void>) => ({
      close: () =>
        close().catch((thrown: unknown) => {
          this.answer(thrown);
          throw thrown;
        }),
    });
    try {
      const connections = [...this.#connections].map((connection) => told(() => connection.close()));
      await closeAll(
        ...connections,
        told(() => this.holds.release()),
      );
    } finally {
      // Until now the log is there to tell what was not written.
      this.deinitialise();
    }
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const libraries = new ClientState(new Library());

/** The library of the client whose call is running: the process's own unless {@link runWithLibrary} says otherwise. */
export function library(): Library {
  return libraries.current;
}

/**
 * Runs calls for one of many clients: with his own settings, log, last errors and connections. What the calls start, callbacks
 * included, runs for him too. One client's VixDiskLib_Exit, and the closing of his library, leave the others as they are, and a
 * connection or a disk of another is none.
 * @param client His own library.
 * @param work Makes his calls.
 * @returns What `work` returns.
 * @throws What `work` throws.
 * @example
 * ```ts
 * const modes = runWithLibrary(new Library(), () => VixDiskLib_ListTransportModes());
 * ```
 */
export function runWithLibrary<T>(client: Library, work: () => T): T {
  return libraries.run(client, work);
}

/**
 * Says where VMs and datastores are; kept until it is called again.
 * @param to The settings, in place of those before.
 * @returns Nothing: they are looked at by the calls that need them.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a setting that is not what it must be.
 * @example
 * ```ts
 * configureVixDiskLib({ datastores: { store1: '/var/lib/vms' } });
 * ```
 */
export function configureVixDiskLib(to: VixDiskLibSettings): void {
  checkOptions('configureVixDiskLib', to, SETTINGS);
  library().settings = to;
}
