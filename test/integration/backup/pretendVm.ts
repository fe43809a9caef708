/** A VM for tests of who is who: images at rest, told as the disks of a running VM with its own names for them. */
import { imagesSource } from '../../../lib/backup/imagesSource.js';
import type { BackupSource, SourceDisk } from '../../../lib/backup/source.js';

export interface PretendVm {
  uuid?: string | null;
  name?: string | null;
  /** Paths of images by the VM's names of its disks. */
  disks: Readonly<Record<string, string>>;
}

export function pretendVm({ uuid = null, name = null, disks }: PretendVm): BackupSource {
  const source = imagesSource(Object.values(disks));
  const called = (path: string): string => Object.entries(disks).find(([, one]) => one === path)?.[0] ?? path;
  const path = (disk: string): string => disks[disk] ?? disk;
  const renamed = <T extends { disk: string }>(list: readonly T[]): T[] =>
    list.map((one) => ({ ...one, disk: called(one.disk) }));
  return {
    ...source,
    async facts(signal) {
      const facts = await source.facts(signal);
      return { ...facts, kind: 'vm', uuid, name, disks: renamed(facts.disks) };
    },
    openDisk: (disk, signal) => source.openDisk(path(disk), signal),
    forget: (disk, point, signal) => source.forget(path(disk), point, signal),
    undo: (disk, pit, signal) => source.undo(path(disk), pit, signal),
    async begin(pit, signal) {
      const session = await source.begin(pit, signal);
      return {
        ...session,
        disks: session.disks.map((disk): SourceDisk => under(disk, called(disk.disk))),
        failed: renamed(session.failed),
        check: async () => renamed(await session.check()),
        commit: async (kept) => renamed(await session.commit(kept.map(path))),
        rollback: async () => renamed(await session.rollback()),
      };
    },
  };
}

function under(disk: SourceDisk, name: string): SourceDisk {
  const { sizeBytes, epoch, changeId, lost } = disk;
  return {
    disk: name,
    sizeBytes,
    epoch,
    changeId,
    lost,
    points: (signal) => disk.points(signal),
    changes: (from, selection) => disk.changes(from, selection),
    allocated: (selection) => disk.allocated(selection),
    openData: (signal) => disk.openData(signal),
  };
}
