/**
 * The port to where a QEMU runs: who it is through time, whose it is, where files for it may lie, which job of somebody
 * else keeps a session off. It goes with the port to its commands (`QmpPort.host`), for whoever makes the one knows the other.
 */
import type { SessionMode } from '../../core/session.js';
import type { WaitOptions } from '../../linux/waiting.js';
import type { FreezeOptions, FrozenResult } from './guest/frozenWork.js';

/** What a session's record says of its VM. */
export interface RecordedVm {
  /** Of records made by versions that had none. */
  key?: string | undefined;
  /** How it was reached. */
  vm: string;
}

export interface QemuHost {
  /**
   * Who the VM is, the same in every process and after a restart of QEMU: its UUID (lower case) where it has one. Records
   * and names of folders hang on it.
   */
  readonly key: string;
  /** How a later process reaches it, as records keep it: the address of a `WayToQemu`. */
  readonly address: string;
  /** Whether a session's record is of this VM, as far as the record and what runs here now tell. */
  isOf(record: RecordedVm): Promise<boolean>;
  /** How the VM's owner calls the disks behind these devices, by the devices' ids; empty where he does not. */
  namesOfDevices(devices: readonly string[], options?: WaitOptions): Promise<ReadonlyMap<string, string>>;
  /** Throws where sessions of this mode would not be safe on this VM. */
  refuseMode(mode: SessionMode): Promise<void>;
  /** Whether it is seen that the NBD server at this socket is another QEMU's. */
  isAnothersServer(socket: string): Promise<boolean>;
  /** The folder in which a session makes its own unless the caller names one. In overlay mode it must outlive a restart of the machine; questions have a socket there. */
  placeFor(mode: SessionMode | 'questions', disks: readonly { readonly filename: string }[]): Promise<string>;
  /** Every folder in which sessions on this VM may have made theirs, in either mode. */
  placesToSearch(signal?: AbortSignal): Promise<string[]>;
  /** Makes a new, empty folder QEMU's, for it and root alone; one that QEMU cannot see is removed, and that is said. */
  own(folder: string): Promise<void>;
  /** Bytes that QEMU can still write there. */
  freeBytes(folder: string): Promise<number>;
  /** What keeps QEMU from files that are not its own, whatever their permissions are; null where nothing is known to. */
  readonly confinedBy: string | null;
  /** The folder on the way to this one that QEMU may not enter, and the user that it is; null where none is seen. */
  firstClosed(folder: string): Promise<{ folder: string; uid: number } | null>;
  /** Whether there is something at this path for QEMU, as well as that can be seen. */
  has(path: string): Promise<boolean>;
  /** The files that QEMU has open under names relative to a folder of its own; one that cannot be told is left out. */
  pathsOf(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Whether it is seen that the file at this path is none that QEMU has open. */
  isReplaced(file: string): Promise<boolean>;
  /**
   * Runs `work` while the guest's file systems are frozen, and thaws on every way out. `agent`: as {@link agentAddress} names
   * it; a record of the freeze keeps it for whoever has to thaw without us.
   */
  whileFrozen<T>(
    agent: string,
    work: (stop: AbortSignal, frozenFileSystems: number) => Promise<T>,
    options?: FreezeOptions,
  ): Promise<FrozenResult<T>>;
  /** The guest's agent as records and {@link whileFrozen} name it; throws where the caller has to name its socket and does not. */
  agentAddress(socket: string | undefined): string;
  /** Thaws the guest behind this agent, as a record names it; false where it is not frozen. */
  thawLeft(agent: string, signal?: AbortSignal): Promise<boolean>;
  /** What the VM's owner made it from, in words of his (a domain's XML); null where he tells none. */
  definition(options?: WaitOptions): Promise<string | null>;
  /** What may happen to the VM because its disks are tracked, in words; null where nothing is known to. */
  riskOfTracking(options?: WaitOptions): Promise<string | null>;
  /** What somebody else is doing to the VM that no session goes together with, in words; null where nothing is known of. */
  otherJob(signal?: AbortSignal): Promise<string | null>;
}
