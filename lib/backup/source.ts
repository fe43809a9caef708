/** Where a backup reads from: the disks of a VM, running or off, at one instant. */
import type { ChangeMap, ChangeMapSelection } from '../core/changeMap.js';
import type { CbtError, CbtReason } from '../core/errors.js';
import type { ChangeId, DiskName, Epoch, PointId, PointName } from '../core/ids.js';
import type { ChangesOptions, PitInfo } from '../core/trackedDisk.js';

/** A point in time that stands in a disk's chain. */
export type ChainPoint = Pick<PitInfo, 'pit' | 'sequence' | 'changeId'>;

/** What tells which disk it is, through renames, restarts and losses. */
export interface DiskIdentity {
  /** What it is called. */
  disk: DiskName;
  /** Path of its image, where it is a file of this machine. */
  image: string | null;
  /** 0 where it cannot be told. */
  sizeBytes: number;
  /** Its history; null where nothing keeps points in time. */
  epoch: Epoch | null;
  /** The history that it had and that counts for nothing any more: it tells whose disk this is, and nothing is built on it. */
  past?: Epoch | null;
  /** The points in time that stand in it. */
  points: readonly ChainPoint[];
}

/** A disk, or why it cannot be looked at. */
export interface FoundDisk extends DiskIdentity {
  /** Why it cannot be backed up; absent where it can. */
  error?: CbtError;
}

/** Where a run comes from, as it is before the run. */
export interface SourceFacts {
  /** Whether it is a running VM or images at rest. */
  kind: 'vm' | 'images';
  /** Of the VM; null where it has none, and for images. */
  name: string | null;
  /** Of the VM; null where it has none, and for images. */
  uuid: string | null;
  /** What the VM is made from (`VmFacts.definition`), up to 1 MiB: kept with the run. */
  definition?: string | undefined;
  /** The disks that would be backed up. */
  disks: readonly FoundDisk[];
  /** Those of the VM that would not. */
  others: readonly FoundDisk[];
}

/** The bytes of a disk at an instant. Any `DiskData` will do, and whatever reads. */
export interface SourceData {
  /** Size of the disk. */
  readonly info: { readonly sizeBytes: number };
  /**
   * `length` bytes from `offset` on: all of them, or an error. The memory is the caller's for good.
   * @param offset Bytes from the start.
   * @param length Bytes.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  read(offset: number, length: number, options?: { signal?: AbortSignal | undefined }): Promise<Uint8Array>;
  /**
   * Ends the reading.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  close(): Promise<void>;
}

/** A disk as it is now, for questions. A `TrackedDisk` is one. */
export interface SourceQuestions {
  /**
   * What changed since a point.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  changes(options: ChangesOptions): Promise<ChangeMap>;
  /**
   * What holds data.
   * @param selection A window of it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  allocated(selection?: ChangeMapSelection): Promise<ChangeMap>;
  /**
   * Lets go of it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  close(): Promise<void>;
}

/** A disk at the session's instant. */
export interface SourceDisk {
  /** Its name, the same in every session. */
  disk: DiskName;
  /** Its size at the instant. */
  sizeBytes: number;
  /** Null where nothing keeps points in time. */
  epoch: Epoch | null;
  /** Name of the session's point in time in the disk's history; null where nothing keeps points in time. */
  changeId: ChangeId | null;
  /** Why no older point can answer; null where one may. */
  lost: { reason: CbtReason | null; message: string } | null;
  /**
   * The points in time that stand in its chain, the session's own with them.
   * @param signal Ends it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  points(signal: AbortSignal | undefined): Promise<readonly ChainPoint[]>;
  /**
   * What changed from an older point, by its PIT UUID, to the session's: of the whole disk.
   * @param from The point that the backup builds on.
   * @param selection A window of it.
   * @throws What your source throws is the failure of that disk, or of the run. Throw where it is not known what changed.
   */
  changes(from: string, selection: ChangeMapSelection): Promise<ChangeMap>;
  /**
   * What holds data.
   * @param selection A window of it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  allocated(selection: ChangeMapSelection): Promise<ChangeMap>;
  /**
   * Its bytes at the instant, until the session ends.
   * @param signal Ends it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  openData(signal: AbortSignal | undefined): Promise<SourceData>;
}

/** A disk that could not be backed up, and why. */
export interface FailedDisk {
  /** Its name. */
  disk: DiskName;
  /** Why. */
  error: CbtError;
}

/** All disks at one instant, until `commit` or `rollback`. */
export interface SourceSession {
  /** UUID of its point in time. */
  pit: PointId;
  /** Those that were begun. */
  disks: readonly SourceDisk[];
  /** Those that were not, and why. */
  failed: readonly FailedDisk[];
  /** What whoever looks after backups should know; more may come with {@link commit} and {@link rollback}. */
  warnings: readonly string[];
  /**
   * The disks of which something was read that is not the session's instant. Throws when that holds for all of them.
   * @returns The disks whose content since the last check must not be trusted.
   */
  check(): Promise<FailedDisk[]>;
  /**
   * Keeps the point in time on these disks and takes it off the others; disks on which that failed. Throws when it failed as a whole.
   * @param disks Names of those whose point stays.
   * @returns The disks where that failed.
   */
  commit(disks: readonly string[]): Promise<FailedDisk[]>;
  /**
   * As if the session had never been; safe to call at any time, also after a commit that failed. Disks on which the point stays.
   * @returns The disks where that failed.
   */
  rollback(): Promise<FailedDisk[]>;
}

/** What a session is for. */
export interface BeginSourceOptions {
  /** Only to be looked at, and rolled back: where the instant holds without a point in time, none is taken. */
  onlyLook?: boolean | undefined;
}

/**
 * What `backup` reads from. `vmSource` and `imagesSource` make one; a program may bring its own. What it answers is checked where it comes in:
 * what breaks the rules here is `ERR_CBT_BACKEND_PROTOCOL`, a map that is not of the whole disk `ERR_CBT_MAP_MISMATCH`.
 */
export interface BackupSource {
  /** The VM that the disks are of, as `Vm.key` has it, for whoever watches the work; images of nobody's VM have none. */
  readonly vm?: string | undefined;
  /** Whether a process that dies in a run leaves the point in time on its disks, for the next run to take off. */
  readonly leavesPoint: boolean;
  /**
   * Who the source is, and which disks it has.
   * @param signal Ends it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  facts(signal: AbortSignal | undefined): Promise<SourceFacts>;
  /**
   * A disk by its name in `facts`, for questions about it as it is now.
   * @param disk The disk.
   * @param signal Ends it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  openDisk(disk: DiskName, signal: AbortSignal | undefined): Promise<SourceQuestions>;
  /**
   * Takes the point in time `pit` (a UUID) on all disks; those that failed are in the session's `failed`.
   * @param pit UUID of the point in time.
   * @param signal Ends it.
   * @param options What else is wanted; each option says what holds without it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  begin(pit: PointId, signal: AbortSignal | undefined, options?: BeginSourceOptions): Promise<SourceSession>;
  /**
   * Takes a point in time (PIT UUID or changeId) off a disk; all other points answer as before.
   * @param disk The disk.
   * @param point Which one.
   * @param signal Ends it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  forget(disk: DiskName, point: PointName, signal: AbortSignal | undefined): Promise<void>;
  /**
   * The same of a point that nobody has a backup of: tracking ends with it where it is the only one.
   * @param disk The disk.
   * @param pit UUID of the point in time.
   * @param signal Ends it.
   * @throws What your source throws is the failure of that disk, or of the run.
   */
  undo(disk: DiskName, pit: PointId, signal: AbortSignal | undefined): Promise<void>;
}
