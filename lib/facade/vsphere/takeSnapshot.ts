/** Taking a snapshot, for the two methods that do: a session of the core that outlives this process, and its record. */
import { randomUUID } from 'node:crypto';
import { CbtError } from '../../core/errors.js';
import { outcomeOf } from '../../core/outcome.js';
import { pointLeftAfter, tellsPointLeft } from '../../core/pointLeft.js';
import type { Vm } from '../../core/vm.js';
import { ownOwner } from '../../host/holds.js';
import { type DiskRecord, keyOf } from '../../host/vmRecord.js';
import { dropPending, endPending } from './cleanUp.js';
import { requireInstant } from './content.js';
import { readDisks } from './diskFacts.js';
import { ApplicationQuiesceFault, NotSupported, SnapshotFault } from './faultClasses.js';
import { taskInProgress, toFault } from './faults.js';
import type { MethodFault } from './methodFault.js';
import { fileNameOf } from './shapes.js';
import { requireName } from './snapshotName.js';
import type { VmContext } from './vmContext.js';

export interface SnapshotRequest {
  name: string;
  description: string | undefined;
  memory: boolean;
  quiesce: boolean;
  quiesceTimeoutMs?: number;
}

/** The new snapshot, by what names it among those of its VM. */
export async function takeSnapshot(
  vm: VmContext,
  signal: AbortSignal,
  request: SnapshotRequest,
): Promise<string> {
  const { name, memory } = request;
  requireName(name);
  if (memory) throw new NotSupported('the memory of the guest is not part of a snapshot here');
  return vm.withVm((connected) => begin(vm, connected, request, signal), signal);
}

async function begin(
  vm: VmContext,
  connected: Vm,
  { name, description = '', quiesce, quiesceTimeoutMs }: SnapshotRequest,
  signal: AbortSignal,
): Promise<string> {
  await using beginning = await vm.records.tryLock('begin');
  if (beginning === null) throw taskInProgress(`${vm.name}: another process is taking a snapshot`, name);
  await endPending(vm, connected);
  const { agentSocket, scratchFolder, nbdSocket, allowUnwatchedScratch } = vm.entry;
  const infos = await vm.disksOf(connected);
  const disks = infos.map(({ disk }) => disk);
  const tracked = await isTracked(vm, connected);
  // One that is off has no guest to be quiesced.
  const frozen = quiesce && agentSocket !== undefined && connected.running;
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
      scratch: { folder: scratchFolder },
      nbdSocket,
      signal,
      ...(frozen && {
        quiesce: { agentSocket, ...(quiesceTimeoutMs && { timeoutMs: quiesceTimeoutMs }) },
      }),
    })
    .catch(async (thrown: unknown) => {
      // A point that stays is taken off by whoever takes the next snapshot, or tidies up.
      if (!tellsPointLeft(thrown)) await vm.records.update((record) => dropPending(record, pit));
      throw beginFault(thrown, connected.running ? noted.snapshots.at(-1)?.name : undefined, frozen);
    });
  try {
    const failed = session.disks.find(({ error }) => error !== undefined)?.error;
    if (failed !== undefined) throw new SnapshotFault(failed.message, {}, failed);
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
    return `snapshot-${id}`;
  } catch (thrown) {
    const stays = await outcomeOf(session.rollback()).then(
      (outcome) => pointLeftAfter(outcome.disks).length > 0,
      () => true,
    );
    if (!stays) await vm.records.update((record) => dropPending(record, pit)).catch(() => undefined);
    throw thrown;
  }
}

/** Where it was not switched here, the bitmaps tell whether the VM is tracked. */
async function isTracked(vm: VmContext, connected: Vm): Promise<boolean> {
  const { trackingEnabled } = await vm.records.read();
  if (connected.running && trackingEnabled !== undefined) return trackingEnabled;
  const found = await readDisks(vm, connected);
  const untracked = found.find(({ epoch }) => epoch === null);
  if (!connected.running && untracked !== undefined)
    throw new NotSupported(
      `${untracked.disk} is not tracked: of a VM that is off nothing else would tell whether its content is still the snapshot's`,
    );
  return trackingEnabled ?? found.some(({ epoch }) => epoch !== null);
}

/** `open`: the name of a snapshot whose session may be in the way. */
function beginFault(thrown: unknown, open: string | undefined, frozen: boolean): MethodFault {
  if (!(thrown instanceof CbtError) || thrown.code === 'ERR_CBT_ABORTED') return toFault(thrown);
  if (thrown.reason === 'BUSY') {
    const what =
      open === undefined
        ? thrown.message
        : `snapshot ${JSON.stringify(open)} is still there: remove it first`;
    return taskInProgress(what, thrown.message, thrown);
  }
  if (frozen && /agent|guest|freeze|frozen/i.test(thrown.message))
    return new ApplicationQuiesceFault(thrown.message, {}, thrown);
  return new SnapshotFault(thrown.message, {}, thrown);
}
