/** The disks of a VM, running or off, as a backup source: one session, one instant. */

import { CbtError, invalidArgument } from '../core/errors.js';
import type { DiskName } from '../core/ids.js';
import { ofEach } from '../core/ofEach.js';
import { type Checks, checkOptions } from '../core/options.js';
import { outcomeOf } from '../core/outcome.js';
import type { Session, SessionDisk } from '../core/session.js';
import type { TrackedDisk } from '../core/trackedDisk.js';
import type { DiskOutcome, TrackingOutcome } from '../core/tracking.js';
import type { QuiesceOptions, ScratchOptions, Vm } from '../core/vm.js';
import { sessionChecks } from '../core/vmOptions.js';
import { imagePath, lookAt, notFound, pointsOf } from './diskIdentity.js';
import { MAX_DEFINITION } from './manifest.js';
import type { BackupSource, FailedDisk, FoundDisk, SourceDisk, SourceSession } from './source.js';

/** What the run's session is begun with. */
export interface VmSourceOptions {
  /** Names of disks; every disk that can be tracked unless given. */
  disks?: readonly DiskName[] | undefined;
  /** Freezing the guest's file systems around the instant; not done unless given. */
  quiesce?: QuiesceOptions | undefined;
  /** Where what the guest overwrites meanwhile is kept, and how much of it. */
  scratch?: ScratchOptions | undefined;
  /** Unix socket of an NBD server that runs in this QEMU already. */
  nbdSocket?: string | undefined;
}

const VM_SOURCE: Checks<VmSourceOptions> = sessionChecks;

/**
 * The disks of a VM, running or off, as one source. The connection stays the caller's.
 * @param vm Stays the caller’s to close.
 * @param options What else is wanted; each option says what holds without it.
 * @throws `CbtError`: ERR_CBT_INVALID_ARGUMENT for an option that is not what it must be.
 * @example
 * ```ts
 * import { connectVm } from 'qemu-cbt';
 * await using vm = await connectVm('/run/vms/web.qmp');
 * const source = vmSource(vm, { quiesce: { onFailure: 'warn' } });
 * ```
 */
export function vmSource(vm: Vm, options: VmSourceOptions = {}): BackupSource {
  requireVm(vm);
  checkOptions('vmSource', options, VM_SOURCE);
  return {
    vm: vm.key,
    // In QEMU a session whose process died is found, and rolled back by the next one on the same VM.
    leavesPoint: !vm.running,
    async facts(signal) {
      const { name, uuid, definition } = await vm.facts({ signal });
      const all = (await vm.disks({ signal })).filter(({ trackable }) => trackable);
      const { names, failed } = await resolve(vm, options.disks, signal);
      const found = await ofEach(all, async ({ disk, filename }) => {
        const image = await imagePath(filename);
        return lookAt(disk, image, () => vm.openDisk(disk, { signal }), signal);
      });
      const isAsked = ({ disk }: FoundDisk): boolean => names === null || names.has(disk);
      const disks = [...failed, ...found.filter(isAsked)];
      const others = found.filter((disk) => !isAsked(disk));
      const isVm = vm.running || name !== null || uuid !== null;
      // What is longer than any is not kept; the disks are.
      const kept = definition !== undefined && definition.length <= MAX_DEFINITION ? { definition } : {};
      return { kind: isVm ? 'vm' : 'images', name, uuid, ...kept, disks, others };
    },
    openDisk: (disk, signal) => vm.openDisk(disk, { signal }),
    async begin(pit, signal, { onlyLook } = {}) {
      return sessionOf(vm, await vm.begin({ ...options, pit, onlyLook, signal }));
    },
    forget: async (disk, point, signal) => throwFirst(await vm.forget(point, { disks: [disk], signal })),
    undo: async (disk, pit, signal) => throwFirst(await vm.undo(pit, { disks: [disk], signal })),
  };
}

/** Whatever has a VM's calls; a source has some of the same names, and no disks to list. */
function requireVm(vm: unknown): void {
  const { facts, disks, openDisk, begin, forget, undo } = (vm ?? {}) as Partial<Vm>;
  if (![facts, disks, openDisk, begin, forget, undo].every((call) => typeof call === 'function'))
    throw invalidArgument('vm', vm, 'a VM, as connectVm and openVm give them');
}

/** What the disks that were asked for are called in results; null where all are meant. */
async function resolve(
  vm: Vm,
  asked: readonly string[] | undefined,
  signal: AbortSignal | undefined,
): Promise<{ names: Set<string> | null; failed: FoundDisk[] }> {
  if (asked === undefined) return { names: null, failed: [] };
  const found = await ofEach(asked, async (given): Promise<string | FoundDisk> => {
    try {
      await using disk = await vm.openDisk(given, { signal });
      return disk.disk;
    } catch (error) {
      return notFound(given, null, error, signal);
    }
  });
  return {
    names: new Set(found.filter((one) => typeof one === 'string')),
    failed: found.filter((one) => typeof one !== 'string'),
  };
}

function sessionOf(vm: Vm, session: Session): SourceSession {
  const disks: SourceDisk[] = [];
  const failed: FailedDisk[] = [];
  for (const disk of session.disks) {
    if (disk.error !== undefined) failed.push({ disk: disk.disk, error: disk.error });
    else disks.push(diskOf(session, disk));
  }
  const warnings = [...session.warnings];
  const noted = <T extends { disks: readonly unknown[]; warnings?: readonly string[] }>(outcome: T): T => {
    warnings.push(...(outcome.warnings ?? []));
    return outcome;
  };
  let ended = false;
  return {
    pit: session.pit,
    disks,
    failed,
    warnings,
    async check() {
      const wrong = await ofEach(disks, async ({ disk }): Promise<FailedDisk[]> => {
        try {
          await session.check(disk);
          return [];
        } catch (error) {
          if (!(error instanceof CbtError) || error.disk !== disk || session.broken !== null) throw error;
          return [{ disk, error }];
        }
      });
      return wrong.flat();
    },
    async commit(kept) {
      const outcome = noted(await outcomeOf(session.commit()));
      ended = true;
      const errors = errorsOf(outcome.disks).filter(({ disk }) => kept.includes(disk));
      const others = disks.filter(({ disk }) => !kept.includes(disk)).map(({ disk }) => disk);
      // Nothing of these disks was kept: without a run their point would only take room.
      for (const disk of others) {
        try {
          errors.push(...stays(noted(await outcomeOf(vm.undo(session.pit, { disks: [disk] })))));
        } catch (error) {
          if (!(error instanceof CbtError) || error.code === 'ERR_CBT_INTERNAL') throw error;
          errors.push({ disk, error });
        }
      }
      return errors;
    },
    async rollback() {
      if (ended) return [];
      ended = true;
      return stays(noted(await outcomeOf(session.rollback())));
    },
  };
}

/** The disks on which the point in time stays. */
function stays({ disks }: { disks: readonly DiskOutcome[] }): FailedDisk[] {
  return errorsOf(disks).filter(({ error }) => error.reason !== 'UNKNOWN_PIT');
}

function throwFirst({ disks }: TrackingOutcome): void {
  const [failed] = errorsOf(disks);
  if (failed !== undefined) throw failed.error;
}

function errorsOf(disks: readonly DiskOutcome[]): FailedDisk[] {
  return disks.flatMap(({ disk, error }) => (error === undefined ? [] : [{ disk, error }]));
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
    // Of what keeps no points in time there are none, whatever an image has of others.
    points: async (signal) => (epoch === null ? [] : pointsOf(await tracked(), signal)),
    changes: async (from, selection) => (await tracked()).changes({ ...selection, from }),
    allocated: async (selection) => (await tracked()).allocated(selection),
    openData: (signal) => session.openData(disk, { signal }),
  };
}
