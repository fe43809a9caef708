/** Finding what is remembered of a snapshot by its reference. */
import type { SnapshotRecord, VmRecord } from '../../host/vmRecord.js';
import { ManagedObjectNotFound } from './faultClasses.js';
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
  const what = `The object '${value}' has already been deleted or has not been completely created`;
  throw new ManagedObjectNotFound(what, { obj: { type: 'VirtualMachineSnapshot', value } });
}
