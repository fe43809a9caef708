/** Where a backup reads from: a running VM through a session, or images that no VM uses. */
import type { ChangeMap, ChangeMapSelection } from '../core/changeMap.js';
import type { DiskData } from '../core/diskData.js';
import type { CbtError } from '../core/errors.js';

/** What the manifest says of where a run came from. */
export interface SourceFacts {
  kind: 'vm' | 'images';
  name: string | null;
  uuid: string | null;
}

/** A disk at the session's instant. */
export interface SourceDisk {
  disk: string;
  sizeBytes: number;
  /** Null where nothing keeps points in time. */
  epoch: string | null;
  changeId: string | null;
  /** Why no older point can answer; null where one may. */
  lost: { reason: string | null; message: string } | null;
  /** What changed from an older point to the session's. */
  changes(from: string, selection: ChangeMapSelection): Promise<ChangeMap>;
  /** What holds data. */
  allocated(selection: ChangeMapSelection): Promise<ChangeMap>;
  /** Its bytes at the instant, until the session ends. */
  openData(signal: AbortSignal | undefined): Promise<DiskData>;
}

/** All disks at one instant, until `commit` or `rollback`. */
export interface SourceSession {
  pit: string;
  disks: readonly SourceDisk[];
  failed: readonly { disk: string; error: CbtError }[];
  warnings: readonly string[];
  /** Throws unless everything read so far was the session's instant. */
  check(): Promise<void>;
  /** Keeps the point in time; disks on which that failed. Throws when it failed as a whole. */
  commit(): Promise<{ disk: string; error: CbtError }[]>;
  /** As if the session had never been; safe to call at any time, also after a commit that failed. */
  rollback(): Promise<void>;
}

/** What `backup` reads from. `vmSource` and `imagesSource` make one; a program may bring its own. */
export interface BackupSource {
  /** Who the source is. */
  facts(signal: AbortSignal | undefined): Promise<SourceFacts>;
  /** Something a crash must leave behind so that the next run can undo the point in time; null when nothing is needed. */
  intent(pit: string): { pit: string; images: string[] } | null;
  /** Takes the point in time `pit` (a UUID) on all disks; those that failed are in the session's `failed`. */
  begin(pit: string, signal: AbortSignal | undefined): Promise<SourceSession>;
}
