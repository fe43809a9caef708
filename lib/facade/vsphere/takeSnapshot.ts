/** Taking a snapshot, for the two methods that do: a session of the core that outlives this process, and its record. */
import { randomUUID } from 'node:crypto';
import { CbtError } from '../../core/errors.js';
import type { Vm } from '../../core/vm.js';
import { toFault, VimFault } from './faults.js';
import { Task } from './task.js';
import type { ManagedObjectReference } from './types.js';
import { fileNameOf, keyOf, snapshotMoref, type VirtualMachine } from './virtualMachine.js';
import { type DiskRecord, noteChangeId, type VmRecord } from './vmRecord.js';

export interface SnapshotRequest {
  name: string;
  description: string | undefined;
  memory: boolean;
  quiesce: boolean;
  quiesceTimeoutMs?: number;
}

const MAX_NAME = 80;

export function takeSnapshot(
  method: string,
  vm: VirtualMachine,
  request: SnapshotRequest,
): Task<ManagedObjectReference> {
  return new Task(method, vm.moref, (signal, progress) =>
    vm.inTurn(async () => {
      const { name, memory } = request;
      if (typeof name !== 'string' || name === '' || name.length > MAX_NAME)
        throw new VimFault('InvalidName', `a snapshot's name has 1 to ${MAX_NAME} characters`);
      if (memory)
        throw new VimFault('NotSupported', 'the memory of the guest is not part of a snapshot here');
      const reference = await vm.withVm((connected) => begin(vm, connected, request, signal), signal);
      progress(90);
      await vm.refresh();
      return reference;
    }),
  );
}

async function begin(
  vm: VirtualMachine,
  connected: Vm,
  { name, description = '', quiesce, quiesceTimeoutMs }: SnapshotRequest,
  signal: AbortSignal,
): Promise<ManagedObjectReference> {
  const record = await vm.record();
  const { agent, scratch, nbdSocket } = vm.entry;
  const infos = await vm.disksOf(connected);
  const tracked = await isTracked(
    connected,
    infos.map(({ disk }) => disk),
  );
  const frozen = quiesce && agent !== undefined;
  const session = await connected
    .begin({
      pit: randomUUID(),
      disks: infos.map(({ disk }) => disk),
      detached: true,
      scratch: { folder: scratch },
      nbdSocket,
      signal,
      ...(frozen && {
        quiesce: { agentSocket: agent, ...(quiesceTimeoutMs && { timeoutMs: quiesceTimeoutMs }) },
      }),
    })
    .catch((thrown: unknown) => {
      throw beginFault(thrown, record, frozen);
    });
  try {
    const failed = session.disks.find(({ error }) => error !== undefined)?.error;
    if (failed !== undefined) throw new VimFault('SnapshotFault', failed.message, {}, failed);
    const id = record.nextSnapshot;
    record.nextSnapshot += 1;
    record.snapshots.push({
      id,
      name,
      description,
      createTime: new Date().toISOString(),
      quiesced: frozen,
      session: session.session,
      tracked,
      disks: session.disks.map(({ disk, sizeBytes = 0, changeId }): DiskRecord => {
        const info = infos.find((one) => one.disk === disk);
        return {
          disk,
          key: keyOf(record, disk),
          fileName: fileNameOf(info?.filename ?? disk),
          capacityInBytes: sizeBytes,
          ...(tracked && changeId !== undefined && { changeId }),
        };
      }),
    });
    for (const { changeId } of record.snapshots.at(-1)?.disks ?? [])
      noteChangeId(record, changeId, session.pit);
    await vm.saveRecord(record);
    return snapshotMoref(id);
  } catch (thrown) {
    await session.rollback().catch(() => undefined);
    throw thrown;
  }
}

/** A disk that is not tracked must not become so by a snapshot alone. */
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
