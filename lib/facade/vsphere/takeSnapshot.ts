/** Taking a snapshot, for the two methods that do: a session of the core that outlives this process, and its record. */
import { randomUUID } from 'node:crypto';
import { CbtError } from '../../core/errors.js';
import type { Vm } from '../../core/vm.js';
import { ownOwner } from '../../host/holds.js';
import { type DiskRecord, keyOf, type VmRecord } from '../../host/vmRecord.js';
import { dropPending, endPending } from './cleanUp.js';
import { toFault, VimFault } from './faults.js';
import { type Images, requireInstant, snapshotOff } from './offDisks.js';
import { fileNameOf, snapshotMoref } from './shapes.js';
import type { ManagedObjectReference } from './types.js';
import type { VmContext } from './vmContext.js';

export interface SnapshotRequest {
  name: string;
  description: string | undefined;
  memory: boolean;
  quiesce: boolean;
  quiesceTimeoutMs?: number;
}

const MAX_NAME = 80;

export async function takeSnapshot(
  vm: VmContext,
  signal: AbortSignal,
  request: SnapshotRequest,
): Promise<ManagedObjectReference> {
  const { name, memory } = request;
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME)
    throw new VimFault('InvalidName', `a snapshot's name has 1 to ${MAX_NAME} characters`);
  if (memory) throw new VimFault('NotSupported', 'the memory of the guest is not part of a snapshot here');
  return vm.onOrOff(
    (connected) => begin(vm, connected, request, signal),
    (images) => beginOff(vm, images, request, signal),
    signal,
  );
}

/** Of a VM that is off: a point in time on its images; there is no guest to be quiesced. */
async function beginOff(
  vm: VmContext,
  images: Images,
  { name, description = '' }: SnapshotRequest,
  signal: AbortSignal,
): Promise<ManagedObjectReference> {
  const { session, disks, undo } = await snapshotOff(images, signal);
  try {
    let id = 0;
    await vm.records.update((record) => {
      id = record.nextSnapshot;
      record.nextSnapshot += 1;
      record.snapshots.push({
        id,
        name,
        description,
        createTime: new Date().toISOString(),
        quiesced: false,
        session,
        tracked: true,
        disks: disks.map(
          ({ disk, fileName, parents, capacityInBytes, instant }): DiskRecord => ({
            disk,
            key: keyOf(record, disk),
            fileName,
            parents: [...parents],
            capacityInBytes,
            instant,
          }),
        ),
      });
    });
    return snapshotMoref(id);
  } catch (thrown) {
    await undo().catch(() => undefined);
    throw thrown;
  }
}

async function begin(
  vm: VmContext,
  connected: Vm,
  { name, description = '', quiesce, quiesceTimeoutMs }: SnapshotRequest,
  signal: AbortSignal,
): Promise<ManagedObjectReference> {
  await using beginning = await vm.records.tryLock('begin');
  if (beginning === null)
    throw new VimFault('TaskInProgress', `${vm.name}: another process is taking a snapshot`, { task: name });
  await endPending(vm, connected);
  const { agent, scratch, nbdSocket, allowUnwatchedScratch } = vm.entry;
  const infos = await vm.disksOf(connected);
  const disks = infos.map(({ disk }) => disk);
  const tracked = (await vm.records.read()).trackingEnabled ?? (await isTracked(connected, disks));
  const frozen = quiesce && agent !== undefined;
  const pit = randomUUID();
  // Noted before it begins: whoever finds this after we died knows whose session it is.
  const owner = await ownOwner();
  const noted = await vm.records.update(({ pending }) => void pending.push({ session: pit, owner }));
  const session = await connected
    .begin({
      pit,
      disks,
      detached: true,
      allowUnwatchedScratch,
      scratch: { folder: scratch },
      nbdSocket,
      signal,
      ...(frozen && {
        quiesce: { agentSocket: agent, ...(quiesceTimeoutMs && { timeoutMs: quiesceTimeoutMs }) },
      }),
    })
    .catch(async (thrown: unknown) => {
      await vm.records.update((record) => dropPending(record, pit));
      throw beginFault(thrown, noted, frozen);
    });
  try {
    const failed = session.disks.find(({ error }) => error !== undefined)?.error;
    if (failed !== undefined) throw new VimFault('SnapshotFault', failed.message, {}, failed);
    let id = 0;
    await vm.records.update((record) => {
      dropPending(record, pit);
      id = record.nextSnapshot;
      record.nextSnapshot += 1;
      record.snapshots.push({
        id,
        name,
        description,
        createTime: new Date().toISOString(),
        quiesced: frozen,
        session: pit,
        tracked,
        disks: session.disks.map(({ disk, sizeBytes = 0, changeId = '' }): DiskRecord => {
          const info = infos.find((one) => one.disk === disk);
          return {
            disk,
            key: keyOf(record, disk),
            fileName: fileNameOf(info?.filename ?? disk),
            parents: [...(info?.backing ?? [])],
            capacityInBytes: sizeBytes,
            instant: requireInstant(disk, changeId, pit),
          };
        }),
      });
    });
    return snapshotMoref(id);
  } catch (thrown) {
    await session.rollback().catch(() => undefined);
    await vm.records.update((record) => dropPending(record, pit)).catch(() => undefined);
    throw thrown;
  }
}

/** Where it was not switched here, the bitmaps tell whether the VM is tracked. */
async function isTracked(vm: Vm, disks: readonly string[]): Promise<boolean> {
  for (const disk of disks) {
    await using opened = await vm.openDisk(disk);
    if ((await opened.pits()).epoch !== null) return true;
  }
  return false;
}

function beginFault(thrown: unknown, record: VmRecord, frozen: boolean): VimFault {
  if (!(thrown instanceof CbtError) || thrown.code === 'ERR_CBT_ABORTED') return toFault(thrown);
  if (thrown.reason === 'BUSY') {
    const open = record.snapshots.at(-1)?.name;
    const what =
      open === undefined
        ? thrown.message
        : `snapshot ${JSON.stringify(open)} is still there: remove it first`;
    return new VimFault('TaskInProgress', what, { task: thrown.message }, thrown);
  }
  if (frozen && /agent|guest|freeze|frozen/i.test(thrown.message))
    return new VimFault('ApplicationQuiesceFault', thrown.message, {}, thrown);
  return new VimFault('SnapshotFault', thrown.message, {}, thrown);
}
