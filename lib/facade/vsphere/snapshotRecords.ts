/** Finding what is remembered of a snapshot by its reference. */
import type { SnapshotRecord, VmRecord } from '../../host/vmRecord.js';
import { objectNotFound } from './faults.js';
import type { ManagedObjectReference } from './reference.js';
import { snapshotValue } from './snapshot.js';

/** ManagedObjectNotFound where it is gone. */
export function findSnapshot(
  { snapshots }: VmRecord,
  reference: ManagedObjectReference | string,
): SnapshotRecord {
  const value = typeof reference === 'string' ? reference : reference.value;
  const found = snapshots.find(({ id }) => snapshotValue(id) === value);
  if (found !== undefined) return found;
  throw objectNotFound({ type: 'VirtualMachineSnapshot', value });
}
