/**
 * A backup session: one instant on all disks of a VM, readable until the session ends. Committed, its point in time stays and
 * the next session can start from it; rolled back, it is as if the session had never been.
 */
import type { CallOptions } from './callOptions.js';
import type { Diff, DiffOptions } from './diff.js';
import type { DiskData, OpenDataOptions } from './diskData.js';
import { CbtError, losesChain } from './errors.js';
import type { DiskName, PointId } from './ids.js';
import type { OnProgress } from './progress.js';
import type { TrackedDisk } from './trackedDisk.js';
import type { BeginOutcome, TrackingOutcome } from './tracking.js';

/** How the instant is kept readable while the guest goes on writing. */
export type SessionMode =
  /** QEMU copies what the guest overwrites to a scratch file first; the disk's stack of images does not change. */
  | 'fleece'
  /** The guest writes to a new overlay, which is committed back at the end. */
  | 'overlay';

/** One disk of a session: `verdict` tells what a backup of it has to copy. */
export type SessionDisk = BeginOutcome & {
  /**
   * NBD URI of the disk as it was at the session's instant, read-only, for other programs; absent when the disk has an error, and while the VM is
   * off. Unsafe, because nothing on it says that the session broke: it serves on, or again, bytes of another moment. `check` tells, after
   * reading and before trusting.
   */
  unsafeExportUri?: string;
};

/** What a session tells about itself. */
export interface SessionFacts {
  /** UUID of its point in time, which is the session's id. */
  readonly pit: PointId;
  /** `off`: nothing keeps it but that nobody writes to the images; that nobody did is what `check` tells. */
  readonly mode: SessionMode | 'off';
  /** Every disk that was asked for, those that were not begun included. */
  readonly disks: readonly SessionDisk[];
  /** What the caller should know although the session is good (a guest that could not be frozen, say). */
  readonly warnings: readonly string[];
}

/** A backup session, readable until `commit` or `rollback`. Disposed of without either, it is rolled back. */
export interface Session extends SessionFacts, AsyncDisposable {
  /**
   * The disk as it was at the session's instant: its changes since any older point, and what holds data.
   * @param disk Name of the disk.
   * @param options Signal and deadline.
   * @throws `CbtError` for a disk that is not in the session or was not begun, and a session that broke.
   */
  openDisk(disk: DiskName, options?: CallOptions): Promise<TrackedDisk>;
  /**
   * What a backup of the disk has to copy since an older point: changed bytes, zeros told apart, in order and in pieces, with `check`
   * done at the end. Nothing is read before it is iterated.
   * @param disk Name of the disk.
   * @param options From which point, and how it is read.
   * @returns What is iterated; it throws there.
   */
  diff(disk: DiskName, options: DiffOptions): Diff;
  /**
   * The disk's bytes at the instant, read-only; needs the libnbd addon. A stream of it, and `forEachPiece`, end with a `check` of their own,
   * and `close` asks for whatever was read besides: it throws where that is not the instant's. To be closed before the session ends. While
   * it is open a VM that is off cannot start.
   * @param disk Name of the disk.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` for a disk that is not in the session or was not begun, and a session that broke.
   */
  openData(disk: DiskName, options?: OpenDataOptions): Promise<DiskData>;
  /**
   * Throws when what is read is no longer the session's instant. Whoever reads data calls it after reading and before
   * trusting: a broken session goes on serving bytes, but of another moment. Of one disk where it is named: one that is taken
   * out of a running VM, or written to while the VM is off, is lost by itself.
   * @param disk One disk; all unless given.
   * @param options Signal and deadline.
   * @throws `CbtError`: what was read since the last check must be discarded.
   */
  check(disk?: DiskName, options?: CallOptions): Promise<void>;
  /** Why the session as a whole broke; null while it is good. `ERR_CBT_CLOSED`: its VM was closed, which rolled it back. */
  readonly broken: CbtError | null;
  /**
   * Fires when the session breaks, or its VM is closed while it is open, with the error as its reason: to be handed to every reader. By itself in the process that began it;
   * where it was taken up again, when somebody asks and it is found broken. A disk that is lost by itself breaks no session, and one that
   * is ended in order neither.
   */
  readonly signal: AbortSignal;
  /**
   * Ends the session and keeps its point in time; throws where it is kept on no disk, with every disk in `error.disks`. A
   * broken session is rolled back, and this throws why; so is a disk of a VM
   * that is off whose data was read here and is not the instant's any more: it has an error then.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where nothing was committed, that of a session that broke.
   */
  commit(options?: EndSessionOptions): Promise<TrackingOutcome>;
  /**
   * Ends the session; its point in time goes, and its changes join those of the point before.
   * @param options What else is wanted; each option says what holds without it.
   * @throws `CbtError` where nothing was rolled back.
   */
  rollback(options?: EndSessionOptions): Promise<TrackingOutcome>;
}

/** Whether the error says that QEMU holds nothing of the session any more, and not only that it cannot be used. */
export function hasEnded(error: unknown): boolean {
  return error instanceof CbtError && error.code === 'ERR_CBT_CLOSED' && error.details['ended'] === true;
}

/** Whether the error says that the session's content is gone for good, and not only that it cannot be asked now. */
export function isContentGone(error: unknown): boolean {
  if (hasEnded(error)) return true;
  return losesChain(error) || (error instanceof CbtError && 'writtenBytes' in error.details);
}

/** An end that was cancelled, or failed, is finished by asking for it again. */
export interface EndSessionOptions extends CallOptions {
  /** Overlay mode: bytes that are back in the images, of all that have to be; the guest's new writes add to both. */
  onProgress?: OnProgress | undefined;
}
