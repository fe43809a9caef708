/**
 * The service of a host file: its wires, what they have in common, and their life from the start to the end. Nothing of it has to
 * outlive the process: what is true of a VM is in its images and records.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError, invalidArgument } from '../core/errors.js';
import { serviceOf } from '../facade/vsphere/serviceInstance.js';
import { uuidOf } from '../facade/vsphere/shapes.js';
import { HOST_VARIABLE, type HostFile } from '../host/hostFile.js';
import type { Inventory } from '../host/inventory.js';
import { defaultStateFolder } from '../host/lockedRecord.js';
import { onFile } from '../linux/fileFault.js';
import type { HeldLock } from '../linux/kernelLock.js';
import { thisMachine } from '../linux/machine.js';
import { parseAddress } from './address.js';
import { type Certificate, ownCertificate, thumbprint } from './http/certificate.js';
import type { Log } from './log.js';
import { Metrics, MetricsServer } from './metrics.js';
import { holdService } from './onlyOne.js';
import { givenSocket, notify } from './systemd.js';
import { readUsers, type User } from './users/usersFile.js';
import type { FaultRules } from './vim/faults/faultRules.js';
import { HANDLERS } from './vim/handlers.js';
import { TaskFolder } from './vim/taskRecords.js';
import { VimServer } from './vim/vimServer.js';
import { VimService } from './vim/vimService.js';

export interface HostServiceOptions {
  inventory: Inventory;
  log: Log;
  env: Readonly<Record<string, string | undefined>>;
  /** QEMU_CBT_STATE, else the usual one, unless given. */
  stateFolder?: string | undefined;
  /** What goes wrong on purpose, in the simulator. */
  faults?: FaultRules;
}

/** Where a started service is. */
export interface Started {
  /** Of the vim wire. */
  url: string;
  /** SHA-1 of its certificate, as clients ask for it. */
  thumbprint: string;
  sha256: string;
  vms: number;
  metrics: string | null;
}

type VimWire = NonNullable<NonNullable<HostFile['says']['wires']>['vim']>;

/** A service that runs. */
export class HostService {
  readonly #options: HostServiceOptions;
  readonly #lock: HeldLock;
  readonly #service: VimService;
  readonly #server: VimServer;
  readonly #metrics: MetricsServer | null;
  readonly started: Started;

  private constructor(
    options: HostServiceOptions,
    parts: {
      lock: HeldLock;
      service: VimService;
      server: VimServer;
      metrics: MetricsServer | null;
      started: Started;
    },
  ) {
    this.#options = options;
    this.#lock = parts.lock;
    this.#service = parts.service;
    this.#server = parts.server;
    this.#metrics = parts.metrics;
    this.started = parts.started;
  }

  /** Starts what the host file names; where one part cannot be started, nothing is. */
  static async start(options: HostServiceOptions): Promise<HostService> {
    const { inventory, env, log, stateFolder = defaultStateFolder() } = options;
    const { file, vim, metrics: metricsWire } = await wiresOf(inventory);
    const users = usersOf(vim, file);
    await requireUsers(users, vim);
    const lock = await holdService(stateFolder, file.path);
    const closing: (() => Promise<unknown>)[] = [() => lock.release()];
    try {
      const certificate = await certificateOf(vim, stateFolder);
      const facade = await serviceOf(inventory);
      const metrics = new Metrics([
        { name: 'sessions', help: 'Sessions that are open.', read: () => service.sessions.all.length },
        { name: 'connections', help: 'Connections that are open.', read: () => server.connections },
        { name: 'tasks_running', help: 'Tasks that run.', read: () => service.tasks.running },
      ]);
      const { machineId = '' } = await thisMachine();
      const service = new VimService(facade, {
        users: async () =>
          (await users().catch((error: Error) => {
            log.error('users', { file: vim.users, message: error.message });
            return null;
          })) ?? [],
        ...(options.faults !== undefined && { faults: options.faults }),
        taskStore: await TaskFolder.of(stateFolder, file.path),
        onTaskFailure: ({ message }) => log.error('tasks', { message }),
        hostUuid: machineId === '' ? '' : uuidOf(`qemu-cbt host ${machineId}`),
        note: ({ method, object, user, address, ms, fault, message, changes }) => {
          metrics.count(KNOWN.has(method) ? method : 'unknown', fault, ms);
          const fields = { method, object, user, address, ms, fault, message };
          if (changes || method === 'Login') log.info('call', { ...fields, audit: true });
          else if (fault !== null && fault !== 'NotAuthenticated') log.warning('call', fields);
        },
      });
      await service.tasks.restore();
      const address = parseAddress('vim', vim.address);
      const fd = givenSocket(env);
      const server = await VimServer.listen(service, { ...address, certificate, ...(fd !== null && { fd }) });
      closing.push(() => server.close(0));
      const metricsServer =
        metricsWire === undefined
          ? null
          : await MetricsServer.listen(metrics, parseAddress('metrics', metricsWire.address));
      const shown = address.host.includes(':') ? `[${address.host}]` : address.host;
      const started: Started = {
        url: `https://${shown}:${server.port}/sdk`,
        thumbprint: thumbprint(certificate.cert),
        sha256: thumbprint(certificate.cert, 'sha256'),
        vms: (await inventory.vms()).length,
        metrics: metricsServer === null ? null : `http://127.0.0.1:${metricsServer.port}/metrics`,
      };
      const { url, sha256, vms } = started;
      log.info('started', { url, thumbprint: started.thumbprint, sha256, vms, metrics: started.metrics });
      await notify(env, '--ready', `--status=serving ${vms} VMs at ${url}`);
      return new HostService(options, { lock, service, server, metrics: metricsServer, started });
    } catch (error) {
      for (const close of closing.reverse()) await close().catch(() => undefined);
      throw error;
    }
  }

  /** Reads the host file and the users again; a file with an error is logged, and what was read before goes on. */
  async reload(): Promise<void> {
    const { inventory, log, env } = this.#options;
    await notify(env, 'RELOADING=1');
    try {
      try {
        await this.#service.reload();
      } finally {
        // Whoever was removed goes, whatever is wrong with the host file.
        await this.#service.endChanged();
      }
      log.info('reloaded', { vms: (await inventory.vms()).length });
    } catch (error) {
      log.error('reload', { message: (error as Error).message });
    }
    await notify(env, '--ready');
  }

  /** Ends sessions and waits, undoes what tasks have begun, and returns when nothing of it is left. */
  async stop(): Promise<void> {
    const { log, env } = this.#options;
    await notify(env, 'STOPPING=1');
    const running = this.#service.tasks.running;
    log.info('stopping', { sessions: this.#service.sessions.all.length, tasks: running });
    await this.#service.stop();
    await this.#server.close();
    await this.#metrics?.close();
    await this.#lock.release();
    log.info('stopped');
  }
}

/** Methods that are counted by their names. */
const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(HANDLERS).map((key) => key.slice(key.indexOf('.') + 1)),
  'Login',
  'RetrieveServiceContent',
  'Fetch',
]);

async function wiresOf(
  inventory: Inventory,
): Promise<{ file: HostFile; vim: VimWire; metrics: VimWire | undefined }> {
  const file = await inventory.file();
  if (file === null)
    throw invalidArgument('--host', undefined, `a host file: give one, or name it by ${HOST_VARIABLE}`);
  const { vim, metrics } = file.says.wires ?? {};
  if (vim !== undefined) return { file, vim, metrics };
  throw new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `${file.path}: wires names no vim, and so nothing that could be served`,
    { details: { path: file.path } },
  );
}

/** Reads the users of the wire; there is no wire without them. */
function usersOf({ users }: VimWire, { path }: HostFile): () => Promise<User[] | null> {
  if (users !== undefined) return () => readUsers(users);
  throw new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `${path}: wires.vim has no users: name a file of them, and fill it by qemu-cbt user add`,
    { details: { path } },
  );
}

async function requireUsers(read: () => Promise<User[] | null>, { users }: VimWire): Promise<void> {
  if ((await read()) !== null) return;
  throw new CbtError('ERR_CBT_INVALID_ARGUMENT', `${users} is not there: make it by qemu-cbt user add`, {
    details: { path: users ?? null },
  });
}

async function certificateOf({ tls }: VimWire, stateFolder: string): Promise<Certificate> {
  if (tls === undefined) return ownCertificate(join(stateFolder, 'service'));
  if (tls.clientAuthority !== undefined)
    throw new CbtError(
      'ERR_CBT_UNSUPPORTED',
      'wires.vim.tls.clientAuthority: clients log in by a password here',
      {
        details: { wire: 'vim' },
      },
    );
  const read = (path: string) => onFile(path, 'reading', () => readFile(path, 'utf8'));
  return { cert: await read(tls.certificate), key: await read(tls.key) };
}
