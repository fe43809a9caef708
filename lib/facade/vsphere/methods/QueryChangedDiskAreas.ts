import { formatChangeId, parseChangeId } from '../../../core/changeId.js';
import { CbtError } from '../../../core/errors.js';
import type { Ranges } from '../../../core/rangePage.js';
import type { TrackedDisk } from '../../../core/trackedDisk.js';
import { fileFault, invalidArgument, toFault, type VimFault } from '../faults.js';
import { type Images, openOff, readOffDisks, requireUnchanged } from '../offDisks.js';
import type { DiskChangeExtent, DiskChangeInfo, ManagedObjectReference } from '../types.js';
import type { VirtualMachine } from '../virtualMachine.js';
import type { DiskRecord } from '../vmRecord.js';

/**
 * What changed on a disk between the instant that `changeId` names and the snapshot, from byte `startOffset` on; `*` for all that held data
 * at the snapshot. Any changeId of the disk's history answers, not only the last. One answer covers the rest of the disk unless the
 * service was told to answer at most so many areas a call: then ask again from `startOffset + length` until that is the capacity.
 *
 * FileFault: tracking is off, was lost or reset, or never knew this changeId; the reason is in `faultMessage`. Without a snapshot it asks a VM
 * that is off up to now; of one that runs that is a FileFault too. InvalidArgument: `deviceKey`, `startOffset` at or past the capacity, or `changeId` that is none.
 */
export async function QueryChangedDiskAreas(
  vm: VirtualMachine,
  snapshot: ManagedObjectReference | null | undefined,
  deviceKey: number,
  startOffset: number,
  changeId: string,
): Promise<DiskChangeInfo> {
  const { changeIds } = await vm.record();
  const { disk, to } = await askedDisk(vm, snapshot, deviceKey);
  const { capacityInBytes, fileName } = disk;
  if (!Number.isSafeInteger(startOffset) || startOffset < 0 || startOffset >= capacityInBytes) {
    throw invalidArgument(
      'startOffset',
      `startOffset is ${startOffset}, expected 0 to ${capacityInBytes - 1}`,
    );
  }
  const most = vm.options.maxAreasPerCall;
  const point = changeId === '*' ? changeId : pointOf(changeIds, changeId, disk, to);
  try {
    const ask = async (opened: TrackedDisk, upTo: string | undefined): Promise<DiskChangeInfo> => {
      const map = await opened.changes({
        from: point,
        ...(changeId !== '*' && upTo !== undefined && { to: upTo }),
        start: startOffset,
        // One more than is answered tells whether there are more.
        ...(most !== undefined && { max: most + 1 }),
      });
      return answer(await map.ranges(), startOffset, capacityInBytes, most);
    };
    return await vm.onOrOff(
      async (connected) => {
        if (to === undefined) throw runsFault(vm);
        // Between two points in time the map is in the bitmaps; what held data is in the snapshot's content alone.
        await using opened =
          changeId === '*'
            ? await (await connected.resume(to)).openDisk(disk.disk)
            : await connected.openDisk(disk.disk);
        return await ask(opened, to);
      },
      async (images) => {
        await using opened = await openOff(imageOf(images, disk));
        if (to !== undefined && changeId === '*') await requireUnchanged(opened, to);
        return await ask(opened, to);
      },
    );
  } catch (thrown) {
    // The point is of a snapshot taken later than this one.
    if (thrown instanceof CbtError && thrown.code === 'ERR_CBT_INVALID_ARGUMENT')
      throw invalidArgument('changeId', thrown.message, thrown);
    const ended = thrown instanceof CbtError && thrown.code === 'ERR_CBT_CLOSED' && changeId === '*';
    throw ended
      ? fileFault(
          fileName,
          'the content of the snapshot is gone (QEMU was restarted, or it was written since): what it held cannot be told',
        )
      : toFault(thrown, fileName);
  }
}

/** The disk that is asked, and the point in time up to which; none for a VM that is off as it is now. */
async function askedDisk(
  vm: VirtualMachine,
  snapshot: ManagedObjectReference | null | undefined,
  deviceKey: number,
): Promise<{ disk: DiskRecord; to: string | undefined }> {
  if (snapshot !== undefined && snapshot !== null) {
    const { record } = await vm.findSnapshot(snapshot);
    return { disk: byKey('snapshot', record.disks, deviceKey), to: record.session };
  }
  if (vm.entry.images === undefined) throw runsFault(vm);
  const found = await vm.onOrOff(async () => Promise.reject(runsFault(vm)), readOffDisks);
  const { keys } = await vm.record();
  const disks = found.map(({ disk, fileName, capacityInBytes, newest }) => ({
    disk,
    key: keys[disk] ?? -1,
    fileName,
    capacityInBytes,
    ...(newest !== undefined && { changeId: newest.changeId }),
  }));
  return { disk: byKey('VM', disks, deviceKey), to: undefined };
}

function byKey(what: string, disks: readonly DiskRecord[], deviceKey: number): DiskRecord {
  const disk = disks.find(({ key }) => key === deviceKey);
  if (disk !== undefined) return disk;
  const keys = disks.map(({ key }) => key).join(', ');
  throw invalidArgument('deviceKey', `the ${what} has no disk with key ${deviceKey}; it has ${keys}`);
}

function imageOf(images: Images, { disk, fileName }: DiskRecord): string {
  const path = Object.hasOwn(images, disk) ? images[disk] : undefined;
  if (path !== undefined) return path;
  throw fileFault(fileName, `the VM is off, and its configuration names no image of ${disk}`);
}

function runsFault(vm: VirtualMachine): VimFault {
  return fileFault(vm.name, 'the VM runs: what changed can be asked of a snapshot only');
}

/** The point in time that a changeId was given for. Its number alone is no proof: an older image may have been copied back. */
function pointOf(
  known: Readonly<Record<string, string>>,
  changeId: string,
  disk: DiskRecord,
  to: string | undefined,
): string {
  const { fileName } = disk;
  const parsed = typeof changeId === 'string' ? parseChangeId(changeId) : null;
  if (parsed === null)
    throw invalidArgument('changeId', 'changeId is neither * nor of the form "52 de … 63/81"');
  if (disk.changeId === undefined)
    throw fileFault(
      fileName,
      to === undefined ? 'the disk is not tracked' : 'the disk was not tracked when the snapshot was taken',
    );
  const pit = known[formatChangeId(parsed)];
  if (pit !== undefined) return pit;
  const what = `changeId ${changeId} was never given out for this VM, or the record of it was lost; take a full backup of this disk`;
  throw fileFault(fileName, new CbtError('ERR_CBT_UNKNOWN_PIT', what, { reason: 'UNKNOWN_PIT' }));
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
