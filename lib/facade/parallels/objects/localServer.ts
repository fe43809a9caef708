/**
 * The "server" a program logs in to: the VMs of this machine, told by the host file (its name ends in .yaml or .yml), by a small file
 * of JSON or by a folder of QMP sockets.
 *
 *   { "vms": [{ "name": "web", "qmpSocket": "/run/vms/web.qmp", "agentSocket": "/run/vms/web.agent", "disks": ["drive0"] }] }
 *
 * In a folder every `<name>.qmp` or `<name>.sock` is a VM of that name. QEMU_CBT_VMS names the file or folder unless the
 * program does; where neither does, they are those of the machine's host file (QEMU_CBT_HOST, else /etc/qemu-cbt/host.yaml).
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { CallOptions } from '../../../core/callOptions.js';
import { CbtError } from '../../../core/errors.js';
import { abortSignal, type Checks, milliseconds, oneOf } from '../../../core/options.js';
import { HOST_VARIABLE, HostFileError } from '../../../host/hostFile.js';
import { passedVmsSchema } from '../../../host/hostSchema.js';
import type { HostVm, VmEntry } from '../../../host/hostVm.js';
import { Inventory, type InventoryOptions } from '../../../host/inventory.js';
import { searchUuid } from '../../../host/uuidSearch.js';
import { requireText } from '../arguments.js';
import { PHT_SERVER } from '../constants/handleTypes.js';
import {
  PRL_ERR_FILE_NOT_FOUND,
  PRL_ERR_INVALID_PARAM,
  PRL_ERR_VM_UUID_NOT_FOUND,
} from '../constants/results.js';
import { PrlError, toPrlError } from '../errors.js';
import { closeInTime, inTime, requireOptions } from '../inTime.js';
import { type PrlObject, runtime } from '../runtime.js';
import { OpenBackups } from './openBackups.js';
import { PrlVm } from './virtualMachine.js';

const MAX_FILE_BYTES = 1 << 20;

/**
 * Where the local server's VMs come from: a file, a folder, or the VMs themselves; undefined for QEMU_CBT_VMS, else the host file.
 * @param vms A file, a folder of sockets, or the VMs; undefined for QEMU_CBT_VMS, else the host file.
 * @returns At once: they are looked at by the next login.
 * @example
 * ```ts
 * configureLocalServer([{ name: 'web', qmpSocket: '/run/vms/web.qmp' }]);
 * ```
 */
export function configureLocalServer(vms: string | readonly VmEntry[] | undefined): void {
  runtime().vms = vms;
}

/** How a VM is looked for. */
export interface FindPrlVmOptions extends CallOptions {
  /** By its name or number alone, or by its UUID alone; by either unless given. */
  by?: 'name' | 'uuid' | undefined;
}

const FIND: Checks<FindPrlVmOptions> = {
  by: oneOf('name', 'uuid'),
  signal: abortSignal,
  timeoutMs: milliseconds,
};

/**
 * The server of `PrlSrv_LoginLocal`: finds the VMs of this machine. Logging off rolls open backups back.
 * @example
 * ```ts
 * await using server = new LocalServer();
 * await server.login();
 * for (const { name } of await server.vms()) console.log(name);
 * ```
 */
export class LocalServer implements PrlObject, AsyncDisposable {
  /** The `PHT_…` of its handles. */
  readonly handleType = PHT_SERVER;
  #login: { inventory: Inventory; backups: OpenBackups } | null = null;

  /**
   * Reads who the VMs are; again where one is logged in already, whose backups go on.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_FILE_NOT_FOUND where nobody says which VMs there are,
   * PRL_ERR_INVALID_PARAM for a bad file.
   */
  async login(options?: CallOptions): Promise<void> {
    const inventory = await inTime('login', options, readInventory);
    this.#login = { inventory, backups: this.#login?.backups ?? new OpenBackups() };
  }

  /**
   * The VMs, in the order of the file, or by name.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_INVALID_PARAM before a login.
   */
  async vms(options?: CallOptions): Promise<PrlVm[]> {
    return inTime('vms', options, async (own) => {
      const { inventory, backups } = this.#loggedIn();
      return (await inventory.vms(own)).map((host) => new PrlVm(host, backups));
    });
  }

  /**
   * A VM by its name, or else by its number (`vm-7`) or its UUID. One that fits two VMs (two sockets of one name, a VM and its copy) is refused.
   * @param name Name, `vm-<number>` or UUID.
   * @param options By what it is looked for; signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_VM_UUID_NOT_FOUND where there is none,
   * PRL_ERR_INVALID_PARAM where it fits two.
   */
  async findVm(name: string, options: FindPrlVmOptions = {}): Promise<PrlVm> {
    requireOptions('findVm', options, FIND);
    const { by, signal, timeoutMs } = options;
    return inTime('findVm', { signal, timeoutMs }, (own) => this.#findVm(requireText('name', name), by, own));
  }

  async #findVm(name: string, by: FindPrlVmOptions['by'], own: CallOptions): Promise<PrlVm> {
    const { inventory, backups } = this.#loggedIn();
    const hosts = await inventory.vms(own);
    const one = (found: readonly HostVm[]) => new PrlVm(only(name, found), backups);
    const named = (wanted: string | undefined) => hosts.filter((host) => host.name === wanted);
    const byName = by === 'uuid' ? [] : named(name);
    if (byName.length > 0) return one(byName);
    const numbered = by === 'uuid' ? [] : named((await inventory.numbered(name, hosts, own))?.name);
    if (numbered.length > 0) return one(numbered);
    const { found, silent } = await searchUuid(by === 'name' ? '' : name, hosts, (host) => host.uuid(own));
    if (found.length > 0) return one(found);
    const known = hosts.map((host) => host.name).join(', ') || 'none';
    const why = silent.map(
      ({ vm, error }) => `${vm.name} did not tell its UUID: ${toPrlError(error).message}`,
    );
    const what = [`there is no VM ${JSON.stringify(name)}`, `there are: ${known}`, ...why].join('; ');
    throw new PrlError(PRL_ERR_VM_UUID_NOT_FOUND, what);
  }

  /**
   * Ends the session; backups that are still open are rolled back. Goes on where only the waiting for it ends.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it where rolling back an open backup failed.
   */
  async logoff(options?: CallOptions): Promise<void> {
    await this.#logoff('logoff', options);
  }

  /**
   * Logs off.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it where rolling back an open backup failed.
   */
  async close(options?: CallOptions): Promise<void> {
    await this.#logoff('close', options);
  }

  async #logoff(what: string, options: CallOptions | undefined): Promise<void> {
    await closeInTime(what, options, async () => {
      const login = this.#login;
      this.#login = null;
      await login?.backups.end();
    });
  }

  #loggedIn() {
    if (this.#login === null) throw new PrlError(PRL_ERR_INVALID_PARAM, 'the server is not logged in to');
    return this.#login;
  }

  /** Logs off. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.logoff();
  }
}

function only(name: string, [first, ...others]: readonly HostVm[]): HostVm {
  if (first !== undefined && others.length === 0) return first;
  const names = [first, ...others].map((vm) => vm?.name).join(', ');
  const message = `${JSON.stringify(name)} fits ${others.length + 1} VMs: ${names}`;
  throw new PrlError(PRL_ERR_INVALID_PARAM, message);
}

async function readInventory(own: CallOptions): Promise<Inventory> {
  const source = runtime().vms ?? process.env['QEMU_CBT_VMS'];
  try {
    const inventory = new Inventory(await told(source));
    await inventory.vms(own);
    if (source !== undefined || (await inventory.file(own)) !== null) return inventory;
  } catch (thrown) {
    if (!(thrown instanceof CbtError)) throw thrown;
    throw toPrlError(
      thrown,
      thrown instanceof HostFileError ? PRL_ERR_INVALID_PARAM : PRL_ERR_FILE_NOT_FOUND,
    );
  }
  throw new PrlError(
    PRL_ERR_FILE_NOT_FOUND,
    `no VMs are known: set QEMU_CBT_VMS to a file or a folder of QMP sockets, or ${HOST_VARIABLE} to a host file`,
  );
}

async function told(source: string | readonly VmEntry[] | undefined): Promise<InventoryOptions> {
  if (source === undefined) return {};
  if (typeof source !== 'string') return { vms: checkEntries('configureLocalServer', { vms: source }) };
  const info = await stat(source).catch((cause: NodeJS.ErrnoException) => {
    throw new PrlError(PRL_ERR_FILE_NOT_FOUND, `${source} cannot be read: ${cause.code}`, { cause });
  });
  if (info.isDirectory()) return { vms: await readFolder(source) };
  return /\.ya?ml$/.test(source) ? { file: source } : { vms: await readEntryFile(source, info.size) };
}

async function readFolder(folder: string): Promise<VmEntry[]> {
  const names = (await readdir(folder)).filter((name) => /\.(qmp|sock)$/.test(name)).sort();
  return names.map((name) => ({
    name: basename(name).replace(/\.(qmp|sock)$/, ''),
    qmpSocket: join(folder, name),
  }));
}

async function readEntryFile(path: string, bytes: number): Promise<readonly VmEntry[]> {
  if (bytes > MAX_FILE_BYTES)
    throw new PrlError(
      PRL_ERR_INVALID_PARAM,
      `${path} has ${bytes} bytes, at most ${MAX_FILE_BYTES} are read`,
    );
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new PrlError(PRL_ERR_INVALID_PARAM, `${path} is not JSON`, { cause });
  }
  return checkEntries(path, value);
}

function checkEntries(where: string, value: unknown): readonly VmEntry[] {
  const checked = passedVmsSchema.safeParse(value);
  if (checked.success) return checked.data.vms;
  const [issue] = checked.error.issues;
  throw new PrlError(
    PRL_ERR_INVALID_PARAM,
    `${where}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not understood'}`,
  );
}
