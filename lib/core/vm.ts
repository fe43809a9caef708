/**
 * A VM with its disks, as callers hold it: what can be asked of it and done to its points in time, the same whether it runs or
 * is off. The wiring makes one from a QMP socket, or from the images of its disks.
 */
import type { CallOptions } from './callOptions.js';
import type { DiskName, PointId, PointName } from './ids.js';
import type { Instant } from './pointInTime.js';
import type { Session, SessionMode } from './session.js';
import type { TrackedDisk } from './trackedDisk.js';
import type { TrackingOutcome } from './tracking.js';

export type { CallOptions } from './callOptions.js';

/** One disk of the VM, trackable or not. */
export interface VmDiskInfo {
  /** The name that finds exactly this disk and, where its owner named it, outlives restarts; results use it. */
  disk: DiskName;
  /** Node that holds the image; absent where no medium is inserted. */
  node?: string;
  /** Id of the block backend (-drive id). */
  deviceId?: string;
  /** Guest device: its id, or its QOM path. */
  qdevPath?: string;
  /** QOM type of the guest device, such as 'virtio-blk-device'. */
  deviceType?: string;
  /** Path or URI of the image. */
  filename?: string;
  /** Paths or URIs of the images below it, the nearest first; absent where there is none. */
  backing?: readonly string[];
  /** Size of the disk; absent where no medium is inserted. */
  sizeBytes?: number;
  /** Format as QEMU names it. */
  format?: string;
  /** Whether points in time survive a clean stop of QEMU. */
  persistent?: boolean;
  /** Whether points in time can be taken of it. */
  trackable: boolean;
  /** Why it cannot be tracked. */
  why?: string;
}

/** Who a VM is, as QEMU tells it; while it is off, as whoever opened it said. */
export interface VmFacts {
  /** As `-name` says; null without one, and for a storage daemon. */
  name: string | null;
  /** As `-uuid` says; null without one. */
  uuid: string | null;
  /** QEMU's run state ('running', 'paused', 'shutdown', …); null for a storage daemon, and while the VM is off. */
  status: string | null;
  /** Version of QEMU, for messages; null while the VM is off. */
  qemu: string | null;
  /** Virtual CPUs; null for a storage daemon, and while the VM is off. */
  cpus: number | null;
  /** The guest's memory in bytes; null for a storage daemon, and while the VM is off. */
  memoryBytes: number | null;
  /** XML of a libvirt domain, as it starts next, without its passwords; absent for any other VM. */
  definition?: string | undefined;
}

/** How tracking starts, or starts anew. */
export interface StartVmOptions extends CallOptions {
  /** Names of disks; every disk that can be tracked unless given. */
  disks?: readonly DiskName[] | undefined;
  /** UUID of the point in time; drawn unless given. */
  pit?: PointId | undefined;
  /** Bytes per bit, a power of two from 512 to 2 GiB; QEMU's choice unless given. */
  granularityBytes?: number | undefined;
}

/** Which disks of the VM; all that can be tracked unless given. */
export interface DisksOptions extends CallOptions {
  /** Names of disks; every disk that can be tracked unless given. */
  disks?: readonly DiskName[] | undefined;
}

/** Freezing the guest's file systems around the instant, through QEMU's guest agent. They are thawed on every way out. */
export interface QuiesceOptions {
  /** Unix socket of the guest agent; none for a libvirt domain, whose agent libvirt has. */
  agentSocket?: string | undefined;
  /** When the guest cannot be frozen: fail (the default), or go on with a warning. */
  onFailure?: 'fail' | 'warn' | undefined;
  /** Milliseconds; 30 000 unless given. */
  timeoutMs?: number | undefined;
}

/**
 * Where a session keeps what the guest overwrites (or, in overlay mode, writes), and how much of it. Past the limit the
 * session breaks, never the guest.
 */
export interface ScratchOptions {
  /** Folder in which the session makes its own; unless given that for temporary files, or /var/tmp where that is memory or nearly full and TMPDIR names none. */
  folder?: string | undefined;
  /** Bytes that all scratch files of the session may take together; 80 % of what is free unless given. */
  limitBytes?: number | undefined;
}

/** What a session is of, and how it is kept. */
export interface BeginVmOptions extends CallOptions {
  /** UUID of the new point in time, which is the session's id; drawn unless given. */
  pit?: PointId | undefined;
  /** The point that incremental backups start from; each disk's newest unless given. */
  base?: PointName | Instant | undefined;
  /** Names of disks; every disk that can be tracked unless given. */
  disks?: readonly DiskName[] | undefined;
  /** How the instant is kept readable; 'fleece' unless given. */
  mode?: SessionMode | undefined;
  /** Freezing the guest's file systems around the instant; not done unless given. */
  quiesce?: QuiesceOptions | undefined;
  /** Where what the guest overwrites is kept, and how much of it. */
  scratch?: ScratchOptions | undefined;
  /** Unix socket of an NBD server that runs in this QEMU already; one of the session's own unless given. */
  nbdSocket?: string | undefined;
  /** The session outlives this process and is ended by another one. */
  detached?: boolean | undefined;
  /**
   * A detached session whose scratch space cannot hold everything the guest may overwrite is watched by a guard, which rolls it
   * back before the limit. With this it is watched by nobody.
   */
  allowUnwatchedScratch?: boolean | undefined;
  /** It is going to be rolled back: where the instant holds without a point in time (the VM is off), none is taken. */
  onlyLook?: boolean | undefined;
}

/**
 * A VM, running or off. Every call looks at what is there now; failures are `CbtError`s that name the socket or the disk. A call on
 * several disks that did nothing throws, with every disk in `error.disks`; one that some disks did resolves, `partial`. Off, it
 * is its images: they must be in nobody's use (`BUSY` otherwise), and what only a running QEMU has (quiescing, scratch space,
 * reading modes) is of no effect.
 */
export interface Vm extends AsyncDisposable {
  /** Who the VM is, the same in every process and after a restart: its UUID where it has one, else the QMP socket's path without links; of images that are nobody's VM, the first one's path. */
  readonly key: string;
  /** Whether this is a running QEMU; never changes. One that is off and is started since refuses (`BUSY`), and is to be opened anew. */
  readonly running: boolean;
  /**
   * Fires when the connection is lost (QEMU ended, or its monitor was taken away), with the error as its reason: to be handed to whatever
   * works on this VM. Never for one that is off, or that was closed.
   */
  readonly lost: AbortSignal;
  /**
   * Name, UUID and state of the VM.
   * @param options Signal and deadline.
   * @throws `CbtError`: ERR_CBT_CONNECTION_LOST where QEMU is gone.
   */
  facts(options?: CallOptions): Promise<VmFacts>;
  /**
   * The disks of these names, in that order; every disk in QEMU's order unless given. Also those that cannot be tracked.
   * @param options Which disks, signal and deadline.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a name that is no disk, or fits two.
   */
  disks(options?: DisksOptions): Promise<VmDiskInfo[]>;
  /**
   * A disk by any of its names, for questions. Reads afresh at every question; what it answers of "now" goes on changing.
   * @param name Its name.
   * @param options Signal and deadline.
   * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for a name that is no disk, or fits two.
   */
  openDisk(name: DiskName, options?: CallOptions): Promise<TrackedDisk>;
  /**
   * Start tracking, a first point in time at one instant on all disks. Refused as a whole when one disk refuses.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where nothing was done; with what became of each disk in `disks` where it is about several.
   */
  enable(options?: StartVmOptions): Promise<TrackingOutcome>;
  /**
   * Start anew in a new epoch, whatever the state; no older point answers afterwards.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where nothing was done; with what became of each disk in `disks` where it is about several.
   */
  reset(options?: StartVmOptions): Promise<TrackingOutcome>;
  /**
   * End tracking: every segment of ours is removed, bitmaps of others stay.
   * @param options Which disks, signal and deadline.
   * @throws `CbtError` where nothing was done; with what became of each disk in `disks` where it is about several.
   */
  disable(options?: DisksOptions): Promise<TrackingOutcome>;
  /**
   * Forget a point in time (PIT UUID, changeId, bitmap name or instant); all others answer as before.
   * @param point UUID, changeId or instant of a point in time.
   * @param options Which disks, signal and deadline.
   * @throws `CbtError` where nothing was done; with what became of each disk in `disks` where it is about several.
   */
  forget(point: PointName | Instant, options?: DisksOptions): Promise<TrackingOutcome>;
  /**
   * Takes a point in time that nobody has a backup of off its disks: the newest is rolled back, and tracking with it where it is
   * the only one; any other is forgotten. Each disk by itself.
   * @param pit UUID of the point in time.
   * @param options Which disks, signal and deadline.
   * @throws `CbtError` where nothing was done; with what became of each disk in `disks` where it is about several.
   */
  undo(pit: PointId, options?: DisksOptions): Promise<TrackingOutcome>;
  /**
   * Take a point in time on all disks at one instant and keep it readable until the session ends, with `commit` or `rollback`. On a
   * running VM it ends also, rolled back, with this process, unless it is `detached`. Off, the point in time stays then
   * (`undo` takes it off); an image that can hold none takes part all the same, unless the session is `detached`: any
   * write to it is noticed as long as this process runs.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where nothing was done; with what became of each disk in `disks` where it is about several.
   */
  begin(options?: BeginVmOptions): Promise<Session>;
  /**
   * A session that is open on this VM, begun by whomever. Off, it is its point in time: a disk that has it not says so.
   * @param pit UUID of the point in time.
   * @param options Signal and deadline.
   * @throws `CbtError` where there is no such session.
   */
  resume(pit: PointId, options?: CallOptions): Promise<Session>;
  /**
   * Runs a QMP command, for what the library has no call for: the monitor serves one client at a time, and that is this connection.
   * Gives what QEMU returned, unchecked; its refusal is an error whose `details` have QEMU's class and words. Whatever starts with `cbt` in
   * QEMU is the library's: a command that changes it breaks sessions. Cancelled or late, the command may still take effect. Off, there is no
   * monitor: `ERR_CBT_UNSUPPORTED`.
   * @param command Its name.
   * @param args Its arguments.
   * @param options Signal and deadline.
   * @throws `CbtError` with what QEMU says.
   */
  qmp(command: string, args?: object, options?: CallOptions): Promise<unknown>;
  /**
   * Ends the connection. A session that was begun here and is open, and not detached, is rolled back first, as it is with the end of this process:
   * its `broken` and `signal` tell, and nothing that changed is lost to the next one. Cancelled or late, only the waiting ends, and the
   * closing goes on.
   * @param options Signal and deadline.
   * @throws `CbtError` where closing failed, or a session could not be rolled back; the connection is ended all the same.
   */
  close(options?: CallOptions): Promise<void>;
}
