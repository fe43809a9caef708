/** What a disk handle stands on: its bytes and its maps, wherever they come from. */
import type { CallOptions } from '../../../core/callOptions.js';
import type { ChangeMap } from '../../../core/changeMap.js';
import type { DiskData } from '../../../core/diskData.js';

/** Granularity of every map but that of a Parallels image's own bitmap: 128 sectors. */
export const MAP_GRANULARITY_BYTES = 65_536;

/** A map, and what to do when it has been read. */
export interface OpenMap {
  map: ChangeMap;
  close(): Promise<void>;
}

export interface OpenedDisk {
  /** What the disk is called in GetDiskInfo and in messages. */
  readonly name: string;
  /** The disk's history (epoch); null where it has none, or its server does not tell. */
  readonly history: string | null;
  readonly data: DiskData;
  /** Where reads and writes go wrong the way a local file's do; else the way an NBD server's do. */
  readonly local: boolean;
  /** What changed since a point in time, up to a later one or to what the handle shows. `spelled`: `from` as the caller wrote it. */
  changes(from: string, to: string | undefined, spelled: string, own: CallOptions): Promise<OpenMap>;
  allocated(own: CallOptions): Promise<OpenMap>;
  /** Throws when what was read is not what the handle stands for. */
  check(own: CallOptions): Promise<void>;
  /** Maps of changes are told at the granularity of the bitmap itself, as for a Parallels image, not at 64 KiB. */
  readonly ownGranularity: boolean;
  close(): Promise<void>;
}

/** A map whose disk stays open longer than it. */
export function openMap(map: ChangeMap): OpenMap {
  return { map, close: async () => undefined };
}
