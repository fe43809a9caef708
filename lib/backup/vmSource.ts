/** The disks of a running VM as a backup source: one session, one instant. */
import type { Session, SessionDisk } from '../core/session.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { QuiesceOptions, ScratchOptions, Vm } from '../core/vm.js';
import { openData } from '../data.js';
import type { BackupSource, SourceDisk, SourceSession } from './source.js';

/** What the run's session is begun with. */
export interface VmSourceOptions {
  /** Names of disks; every disk that can be tracked unless given. */
  disks?: readonly string[] | undefined;
  quiesce?: QuiesceOptions | undefined;
  scratch?: ScratchOptions | undefined;
  /** Unix socket of an NBD server that runs in this QEMU already. */
  nbdSocket?: string | undefined;
}

/** The disks of a running VM, as one source. The connection stays the caller's. */
export function vmSource(vm: Vm, options: VmSourceOptions = {}): BackupSource {
  return {
    async facts(signal) {
      const { name, uuid } = await vm.facts({ signal });
      return { kind: 'vm', name, uuid };
    },
    // A session whose process died is found and rolled back by the next one on the same VM.
    intent: () => null,
    async begin(pit, signal) {
      return sessionOf(await vm.begin({ ...options, pit, signal }));
    },
  };
}

function sessionOf(session: Session): SourceSession {
  const disks: SourceDisk[] = [];
  const failed: SourceSession['failed'][number][] = [];
  for (const disk of session.disks) {
    if (disk.error !== undefined) failed.push({ disk: disk.disk, error: disk.error });
    else disks.push(diskOf(session, disk));
  }
  let ended = false;
  return {
    pit: session.pit,
    disks,
    failed,
    warnings: session.warnings,
    check: () => session.check(),
    async commit() {
      const outcome = await session.commit();
      ended = true;
      return outcome.disks.flatMap(({ disk, error }) => (error === undefined ? [] : [{ disk, error }]));
    },
    async rollback() {
      if (ended) return;
      ended = true;
      await session.rollback();
    },
  };
}

function diskOf(session: Session, described: SessionDisk): SourceDisk {
  const { disk, sizeBytes = 0, epoch = null, changeId = null, verdict, reason, message } = described;
  let opening: Promise<TrackedDisk> | undefined;
  const tracked = (): Promise<TrackedDisk> => {
    opening ??= session.openDisk(disk);
    return opening;
  };
  return {
    disk,
    sizeBytes,
    epoch,
    changeId,
    lost:
      verdict === 'full'
        ? { reason: reason ?? null, message: message ?? 'its earlier points in time cannot be used' }
        : null,
    changes: async (from, selection) => (await tracked()).changes({ ...selection, from }),
    allocated: async (selection) => (await tracked()).allocated(selection),
    openData: (signal) =>
      openData({ kind: 'uri', uri: described.export ?? '' }, { ...(signal === undefined ? {} : { signal }) }),
  };
}
