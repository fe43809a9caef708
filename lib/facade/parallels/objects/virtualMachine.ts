/** A VM of the local server: who it is, and where its backups begin. */
import { randomUUID } from 'node:crypto';
import type { CallOptions } from '../../../core/callOptions.js';
import { escapeXml } from '../../../core/escapeXml.js';
import { abortSignal, type Checks, flag, milliseconds } from '../../../core/options.js';
import { parseUuid } from '../../../core/pointInTime.js';
import type { HostVm } from '../../../host/hostVm.js';
import { pointsInUse } from '../../../host/keepPoints.js';
import { PHT_VIRTUAL_MACHINE } from '../constants/handleTypes.js';
import { PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED, PRL_ERR_INVALID_PARAM } from '../constants/results.js';
import { PrlError } from '../errors.js';
import { closeInTime, inTime, requireOptions } from '../inTime.js';
import type { PrlObject } from '../runtime.js';
import { Backup } from './backup.js';
import type { OpenBackups } from './openBackups.js';

/** What `PrlVm_BeginBackup` says by its flags. */
export interface BeginBackupOptions extends CallOptions {
  /** Keep a new point in time, which a later backup can ask changes since (PBMBF_CREATE_MAP). */
  createMap?: boolean | undefined;
  /** Fail where the guest's file systems cannot be frozen (PBMBF_FSSYNC); else freezing is tried where there is an agent. */
  fsSync?: boolean | undefined;
}

const BEGIN: Checks<BeginBackupOptions> = {
  createMap: flag,
  fsSync: flag,
  signal: abortSignal,
  timeoutMs: milliseconds,
};

/**
 * A VM of the local server, running or off. It is connected to for each call.
 * @example
 * ```ts
 * await using server = new LocalServer();
 * await server.login();
 * const web = await server.findVm('web');
 * const uuid = await web.uuid();
 * ```
 */
export class PrlVm implements PrlObject {
  /** The `PHT_…` of its handles. */
  readonly handleType = PHT_VIRTUAL_MACHINE;
  readonly #host: HostVm;
  readonly #open: OpenBackups;

  /** @internal `open`: the backups of the login that this VM was found under. */
  constructor(host: HostVm, open: OpenBackups) {
    this.#host = host;
    this.#open = open;
  }

  /** As its owner configured it, or its socket's file name without the ending. */
  get name(): string {
    return this.#host.name;
  }

  /**
   * Its number on this machine, the same for every program and for ever; `vm-<number>` finds it.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it where the record of the VM cannot be read.
   */
  async id(options?: CallOptions): Promise<number> {
    return inTime('id', options, (own) => this.#host.id(own));
  }

  /**
   * RFC 4122 text, lower case; from the configuration, else from QEMU's `-uuid`.
   * @param options Signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_INVALID_PARAM where it has none.
   */
  async uuid(options?: CallOptions): Promise<string> {
    const uuid = await inTime('uuid', options, (own) => this.#host.uuid(own));
    if (uuid !== null) return uuid;
    throw new PrlError(
      PRL_ERR_INVALID_PARAM,
      `VM ${this.name} has no UUID: start QEMU with -uuid, or configure one`,
    );
  }

  /**
   * As the SDK's XML: name, and the UUID where it is configured.
   * @returns The text.
   */
  toText(): string {
    const uuid = parseUuid(this.#host.entry.uuid ?? '');
    const told = uuid === null ? '' : `<VmUuid>{${uuid}}</VmUuid>`;
    return `<ParallelsVirtualMachine><Identification>${told}<VmName>${escapeXml(this.name)}</VmName></Identification></ParallelsVirtualMachine>`;
  }

  /**
   * Fixes all disks at one instant and keeps it readable until the backup ends. Called off, or late, the beginning is undone.
   * @param options What kind of backup; signal and deadline.
   * @throws `PrlError`, whose `result` is the code that the SDK has for it: PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED, PRL_ERR_INVALID_PARAM.
   */
  async beginBackup(options: BeginBackupOptions = {}): Promise<Backup> {
    requireOptions('beginBackup', options, BEGIN);
    const { signal, timeoutMs, ...kind } = options;
    const begin = (own: CallOptions): Promise<Backup> =>
      this.#open.begin((either) => this.#begin({ ...kind, signal: either }), own.signal);
    return inTime('beginBackup', { signal, timeoutMs }, begin, PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
  }

  /**
   * A VM holds nothing that could be closed.
   * @param options Signal and deadline.
   * @returns At once: it holds nothing.
   */
  async close(options?: CallOptions): Promise<void> {
    // Connections are made for each call.
    await closeInTime('close', options, async () => undefined);
  }

  async #begin({ createMap = false, fsSync = false, signal }: BeginBackupOptions): Promise<Backup> {
    const { quiesce, entry } = this.#host;
    const { agentSocket, disks, scratchFolder, allowUnwatchedScratch, keepPoints } = entry;
    const vm = await this.#host.connect({ signal });
    try {
      // The file systems of a VM that is off are as quiet as they get.
      if (fsSync && quiesce === null && vm.running)
        throw new PrlError(
          PRL_ERR_INVALID_PARAM,
          `VM ${this.name} has no guest agent configured, which PBMBF_FSSYNC needs`,
        );
      const session = await vm.begin({
        pit: randomUUID(),
        disks,
        scratch: { folder: scratchFolder },
        allowUnwatchedScratch,
        // Whether a domain of libvirt has an agent is not known before it is asked.
        ...(quiesce !== null &&
          (fsSync || agentSocket !== undefined) && {
            quiesce: { ...quiesce, onFailure: fsSync ? ('fail' as const) : ('warn' as const) },
          }),
        signal,
      });
      // Snapshots of the vSphere surface are of the same VM.
      const spare = async (): Promise<string[]> => [
        ...this.#open.pits,
        ...pointsInUse(await this.#host.records.read()),
      ];
      const backup: Backup = new Backup(vm, session, { keepsPoint: createMap, keepPoints, spare }, () =>
        this.#open.forget(backup),
      );
      return backup;
    } catch (thrown) {
      await vm.close();
      throw thrown;
    }
  }
}
