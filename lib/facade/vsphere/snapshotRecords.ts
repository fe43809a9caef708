/** Finding what is remembered of a snapshot by its reference. */
import type { SnapshotRecord, VmRecord } from '../../host/vmRecord.js';
import { objectNotFound } from './faults.js';
import type { ManagedObjectReference } from './reference.js';

/** ManagedObjectNotFound where it is gone, or of another VM. Among those of one VM `snapshot-<id>` is enough. */
export function findSnapshot(
  { id: own, snapshots }: VmRecord,
  reference: ManagedObjectReference | string,
): SnapshotRecord {
  const value = typeof reference === 'string' ? reference : reference.value;
  const [, vm, wanted] = /^(?:(\d+)-)?snapshot-(\d+)$/.exec(value) ?? [];
  const isOurs = vm === undefined || Number(vm) === own;
  const found = isOurs ? snapshots.find(({ id }) => id === Number(wanted)) : undefined;
  if (found !== undefined) return found;
  throw objectNotFound({ type: 'VirtualMachineSnapshot', value });
}
