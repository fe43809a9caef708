import type { CallOptions } from '../../../core/callOptions.js';
import { parseChangeId } from '../../../core/changeId.js';
import { CbtError, trackingLost } from '../../../core/errors.js';
import type { Instant } from '../../../core/pointInTime.js';
import type { Ranges } from '../../../core/rangePage.js';
import type { TrackedDisk } from '../../../core/trackedDisk.js';
import type { Vm } from '../../../core/vm.js';
import type { DiskRecord, SnapshotRecord } from '../../../host/vmRecord.js';
import { isWrittenOrEnded, requireDiskOf, resumeSnapshot } from '../content.js';
import { readDisks } from '../diskFacts.js';
import { fileFault, invalidArgument, toFault } from '../faults.js';
import type { MethodFault } from '../methodFault.js';
import type { ManagedObjectReference } from '../reference.js';
import { findSnapshot } from '../snapshotRecords.js';
import type { DiskChangeExtent, DiskChangeInfo } from '../types.js';
import type { VmContext } from '../vmContext.js';

/**
 * What changed on a disk between the instant that `changeId` names and the snapshot, from byte `startOffset` on; `*` for all that held data
 * at the snapshot. Any changeId of the disk's history answers, not only the last. One answer covers the rest of the disk unless the
 * service was told to answer at most so many areas a call: then ask again from `startOffset + length` until that is the capacity.
 *
 * FileFault: tracking is off, was lost or reset, or never knew this changeId; the reason is in `faultMessage`. Without a snapshot it asks a VM
 * that is off up to now; of one that runs that is a FileFault too. InvalidArgument: `deviceKey`, `startOffset` at or past the capacity, or `changeId` that is none.
 */
export async function QueryChangedDiskAreas(
  vm: VmContext,
  snapshot: ManagedObjectReference | null | undefined,
  deviceKey: number,
  startOffset: number,
  changeId: string,
  own: CallOptions = {},
): Promise<DiskChangeInfo> {
  const { disk, of } = await askedDisk(vm, [snapshot, deviceKey], own);
  const { capacityInBytes, fileName } = disk;
  if (!Number.isSafeInteger(startOffset) || startOffset < 0 || startOffset >= capacityInBytes) {
    throw invalidArgument(
      'startOffset',
      `startOffset is ${startOffset}, expected 0 to ${capacityInBytes - 1}`,
    );
  }
  const to = of?.disk.instant;
  const most = vm.maxAreasPerCall;
  if (changeId !== '*') requireHistory(disk, changeId, to);
  try {
    const ask = async (opened: TrackedDisk): Promise<DiskChangeInfo> => {
      const map = await opened.changes({
        from: changeId,
        // By all that it is: another disk may have the name by now, and every disk of the snapshot has its PIT.
        ...(changeId !== '*' && { to }),
        start: startOffset,
        // One more than is answered tells whether there are more.
        ...(most !== undefined && { max: most + 1 }),
        ...own,
      });
      return answer(await map.ranges(own), startOffset, capacityInBytes, most);
    };
    return await vm.withVm(async (connected) => {
      if (of === null && connected.running) throw runsFault(vm);
      await using opened = await open(connected, [disk, changeId === '*' ? of : null], own);
      return await ask(opened);
    }, own.signal);
  } catch (thrown) {
    // The point is of a snapshot taken later than this one.
    if (thrown instanceof CbtError && thrown.code === 'ERR_CBT_INVALID_ARGUMENT')
      throw invalidArgument('changeId', thrown.message, thrown);
    throw changeId === '*' && isWrittenOrEnded(thrown)
      ? fileFault(
          fileName,
          'the content of the snapshot is gone (QEMU was restarted, or it was written since): what it held cannot be told',
        )
      : toFault(thrown, fileName);
  }
}

interface AskedDisk {
  disk: string;
  key: number;
  fileName: string;
  capacityInBytes: number;
  /** Its history; null where it is not, or was not, tracked. */
  epoch: string | null;
}

/** A disk of a snapshot. */
interface OfSnapshot {
  snapshot: SnapshotRecord;
  disk: DiskRecord;
}

/** The disk that is asked, and of which snapshot; of none for a VM that is off as it is now. */
async function askedDisk(
  vm: VmContext,
  [reference, deviceKey]: [ManagedObjectReference | null | undefined, number],
  own: CallOptions,
): Promise<{ disk: AskedDisk; of: OfSnapshot | null }> {
  if (reference !== undefined && reference !== null) {
    const snapshot = findSnapshot(await vm.records.read(), reference);
    const disk = byKey('snapshot', snapshot.disks, deviceKey);
    const epoch = snapshot.tracked ? disk.instant.epoch : null;
    return { disk: { ...disk, epoch }, of: { snapshot, disk } };
  }
  if (vm.entry.images === undefined) throw runsFault(vm);
  const found = await vm.withVm(async (connected) => {
    if (connected.running) throw runsFault(vm);
    return await readDisks(vm, connected, own);
  }, own.signal);
  const { keys } = await vm.records.read();
  const disks = found.map((disk) => ({ ...disk, key: keys[disk.disk] ?? -1 }));
  return { disk: byKey('VM', disks, deviceKey), of: null };
}

/** Between two points in time the map is in the bitmaps; what held data is in the content alone: of a snapshot, or as it is now. */
async function open(
  connected: Vm,
  [asked, content]: [AskedDisk, OfSnapshot | null],
  own: CallOptions,
): Promise<TrackedDisk> {
  if (content !== null) {
    const session = await resumeSnapshot(connected, content.snapshot, own);
    requireDiskOf(session, content.disk);
    return session.openDisk(asked.disk, own);
  }
  return connected.openDisk(asked.disk, own).catch((thrown: unknown) => {
    if (!(thrown instanceof CbtError) || thrown.code !== 'ERR_CBT_INVALID_ARGUMENT') throw thrown;
    throw fileFault(asked.fileName, thrown);
  });
}

function byKey<D extends { key: number }>(what: string, disks: readonly D[], deviceKey: number): D {
  const disk = disks.find(({ key }) => key === deviceKey);
  if (disk !== undefined) return disk;
  const keys = disks.map(({ key }) => key).join(', ');
  throw invalidArgument('deviceKey', `the ${what} has no disk with key ${deviceKey}; it has ${keys}`);
}

function runsFault(vm: VmContext): MethodFault {
  return fileFault(vm.name, 'the VM runs: what changed can be asked of a snapshot only');
}

/** Throws unless the changeId is of the disk's history: one of another disk is no better than one that was never given out. */
function requireHistory(
  { disk, fileName, epoch }: AskedDisk,
  changeId: string,
  to: Instant | undefined,
): void {
  const parsed = typeof changeId === 'string' ? parseChangeId(changeId) : null;
  if (parsed === null)
    throw invalidArgument('changeId', 'changeId is neither * nor of the form "52 de … 63/19165876459"');
  if (epoch === null)
    throw fileFault(
      fileName,
      to === undefined ? 'the disk is not tracked' : 'the disk was not tracked when the snapshot was taken',
    );
  if (parsed.epoch === epoch) return;
  const what = `changeId ${changeId} is of the history ${parsed.epoch}, and ${disk} has the history ${epoch}`;
  throw fileFault(fileName, trackingLost('OTHER_EPOCH', what));
}

/** A span is never empty, and a span without areas always reaches the end of the disk. */
function answer(ranges: Ranges, startOffset: number, capacity: number, most?: number): DiskChangeInfo {
  const count = ranges.length / 2;
  const told = most === undefined ? count : Math.min(count, most);
  const changedArea = new Array<DiskChangeExtent>(told);
  for (let i = 0; i < told; i += 1)
    changedArea[i] = { start: ranges[2 * i] ?? 0, length: ranges[2 * i + 1] ?? 0 };
  const last = told < count ? changedArea[told - 1] : undefined;
  const end = last === undefined ? capacity : last.start + last.length;
  return { startOffset, length: end - startOffset, changedArea };
}
