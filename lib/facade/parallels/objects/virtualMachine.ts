/** A VM of the local server: who it is, and where its backups begin. */
import { randomUUID } from 'node:crypto';
import { parseUuid } from '../../../core/pointInTime.js';
import type { Vm } from '../../../core/vm.js';
import { openVm } from '../../../host/openVm.js';
import { PHT_VIRTUAL_MACHINE } from '../constants/handleTypes.js';
import { PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED, PRL_ERR_INVALID_PARAM } from '../constants/results.js';
import { PrlError, toPrlError } from '../errors.js';
import type { PrlObject } from '../runtime.js';
import { Backup } from './backup.js';
import type { OpenBackups } from './openBackups.js';
import type { VmEntry } from './vmEntry.js';

/** What `PrlVm_BeginBackup` says by its flags. */
export interface BeginBackupOptions {
  /** Keep a new point in time, which a later backup can ask changes since (PBMBF_CREATE_MAP). */
  createMap?: boolean;
  /** Fail where the guest's file systems cannot be frozen (PBMBF_FSSYNC); else freezing is tried where there is an agent. */
  fsSync?: boolean;
  signal?: AbortSignal;
}

/** A VM of the local server, running or off. It is connected to for each call. */
export class VirtualMachine implements PrlObject {
  readonly handleType = PHT_VIRTUAL_MACHINE;
  readonly #entry: VmEntry;
  readonly #open: OpenBackups;

  /** @internal `open`: the backups of the login that this VM was found under. */
  constructor(entry: VmEntry, open: OpenBackups) {
    this.#entry = entry;
    this.#open = open;
  }

  /** As its owner configured it, or its socket's file name without the ending. */
  get name(): string {
    return this.#entry.name;
  }

  /** RFC 4122 text, lower case; from the configuration, else from QEMU's `-uuid`. */
  async uuid(): Promise<string> {
    const configured = parseUuid(this.#entry.uuid ?? '');
    if (configured !== null) return configured;
    await using vm = await this.#connect();
    const { uuid } = await vm.facts();
    if (uuid !== null) return uuid;
    throw new PrlError(
      PRL_ERR_INVALID_PARAM,
      `VM ${this.name} has no UUID: start QEMU with -uuid, or configure one`,
    );
  }

  /** Fixes all disks at one instant and keeps it readable until the backup ends. */
  async beginBackup(options: BeginBackupOptions = {}): Promise<Backup> {
    return this.#open.begin((signal) => this.#begin({ ...options, signal }), options.signal);
  }

  async close(): Promise<void> {
    // Connections are made for each call.
  }

  #connect(signal?: AbortSignal): Promise<Vm> {
    const { qmp, nbdSocket, images, name, uuid } = this.#entry;
    // Never told from the bytes: a guest may write the header of an image into a raw disk.
    return openVm({ qmp, images, format: 'qcow2', name, uuid, nbdSocket, signal });
  }

  async #begin({ createMap = false, fsSync = false, signal }: BeginBackupOptions): Promise<Backup> {
    const { agent, disks, scratch } = this.#entry;
    const vm = await this.#connect(signal).catch((thrown: unknown) => {
      throw toPrlError(thrown, PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
    });
    try {
      // The file systems of a VM that is off are as quiet as they get.
      if (fsSync && agent === undefined && vm.running)
        throw new PrlError(
          PRL_ERR_INVALID_PARAM,
          `VM ${this.name} has no guest agent configured, which PBMBF_FSSYNC needs`,
        );
      const session = await vm.begin({
        pit: randomUUID(),
        disks,
        scratch: { folder: scratch },
        ...(agent !== undefined && { quiesce: { agentSocket: agent, onFailure: fsSync ? 'fail' : 'warn' } }),
        signal,
      });
      const backup: Backup = new Backup(vm, session, createMap, () => this.#open.forget(backup));
      return backup;
    } catch (thrown) {
      await vm.close();
      throw toPrlError(thrown, PRL_ERR_BACKUP_CREATE_SNAPSHOT_FAILED);
    }
  }
}
