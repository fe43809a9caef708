/**
 * The "server" a program logs in to: the VMs of this machine, told by a small file or by a folder of QMP sockets.
 *
 *   { "vms": [{ "name": "web", "qmp": "/run/vms/web.qmp", "agent": "/run/vms/web.agent", "disks": ["drive0"] }] }
 *
 * In a folder every `<name>.qmp` or `<name>.sock` is a VM of that name. QEMU_CBT_VMS names the file or folder unless the
 * program does.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { parseUuid } from '../../../core/pointInTime.js';
import { PHT_SERVER } from '../constants/handleTypes.js';
import {
  PRL_ERR_FILE_NOT_FOUND,
  PRL_ERR_INVALID_PARAM,
  PRL_ERR_VM_UUID_NOT_FOUND,
} from '../constants/results.js';
import { PrlError } from '../errors.js';
import type { PrlObject } from '../runtime.js';
import type { Backup } from './backup.js';
import { VirtualMachine } from './virtualMachine.js';

const vmSchema = z.strictObject({
  name: z.string().min(1),
  /** The VM's `-uuid`, asked from QEMU unless given. */
  uuid: z.string().optional(),
  /** QMP socket. */
  qmp: z.string().min(1),
  /** Socket of the guest agent; file systems are frozen through it. */
  agent: z.string().optional(),
  /** Disks that backups take; all that can be tracked unless given. */
  disks: z.array(z.string().min(1)).optional(),
  /** Folder for what the guest overwrites during a backup. */
  scratch: z.string().optional(),
  /** Socket of an NBD server that the VM's QEMU runs already. */
  nbdSocket: z.string().optional(),
});
const fileSchema = z.strictObject({ vms: z.array(vmSchema) });

export type VmEntry = z.infer<typeof vmSchema>;

const MAX_FILE_BYTES = 1 << 20;

let configured: string | readonly VmEntry[] | undefined;

/** Where the local server's VMs come from: a file, a folder, or the VMs themselves; undefined for QEMU_CBT_VMS. */
export function configureLocalServer(vms: string | readonly VmEntry[] | undefined): void {
  configured = vms;
}

export class LocalServer implements PrlObject, AsyncDisposable {
  readonly handleType = PHT_SERVER;
  #entries: readonly VmEntry[] | null = null;
  readonly #backups = new Set<Backup>();

  /** Reads who the VMs are. */
  async login(): Promise<void> {
    this.#entries = await readEntries();
  }

  /** The VMs, in the order of the file, or by name. */
  async vms(): Promise<VirtualMachine[]> {
    if (this.#entries === null) throw new PrlError(PRL_ERR_INVALID_PARAM, 'the server is not logged in to');
    return this.#entries.map((entry) => new VirtualMachine(entry, this.#backups));
  }

  /** A VM by its UUID or its name. */
  async findVm(name: string): Promise<VirtualMachine> {
    const vms = await this.vms();
    const byName = vms.find((vm) => vm.name === name);
    if (byName !== undefined) return byName;
    const wanted = parseUuid(name);
    if (wanted !== null) for (const vm of vms) if ((await vm.uuid().catch(() => null)) === wanted) return vm;
    const known = vms.map((vm) => vm.name).join(', ') || 'none';
    throw new PrlError(
      PRL_ERR_VM_UUID_NOT_FOUND,
      `there is no VM ${JSON.stringify(name)}; there are: ${known}`,
    );
  }

  /** Ends the session; backups that are still open are rolled back. */
  async logoff(): Promise<void> {
    this.#entries = null;
    for (const backup of [...this.#backups]) await backup.close();
  }

  async close(): Promise<void> {
    await this.logoff();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.logoff();
  }
}

async function readEntries(): Promise<readonly VmEntry[]> {
  const source = configured ?? process.env['QEMU_CBT_VMS'];
  if (source === undefined)
    throw new PrlError(
      PRL_ERR_FILE_NOT_FOUND,
      'no VMs are known: set QEMU_CBT_VMS to a file or a folder of QMP sockets',
    );
  if (typeof source !== 'string') return source;
  const info = await stat(source).catch(() => null);
  if (info === null) throw new PrlError(PRL_ERR_FILE_NOT_FOUND, `${source} is not there`);
  return info.isDirectory() ? readFolder(source) : readEntryFile(source, info.size);
}

async function readFolder(folder: string): Promise<VmEntry[]> {
  const names = (await readdir(folder)).filter((name) => /\.(qmp|sock)$/.test(name)).sort();
  return names.map((name) => ({
    name: basename(name).replace(/\.(qmp|sock)$/, ''),
    qmp: join(folder, name),
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
  const checked = fileSchema.safeParse(value);
  if (checked.success) return checked.data.vms;
  const [issue] = checked.error.issues;
  throw new PrlError(
    PRL_ERR_INVALID_PARAM,
    `${path}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not understood'}`,
  );
}
