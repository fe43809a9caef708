import { invalidArgument } from '../faults.js';
import type { ManagedObjectReference } from '../reference.js';
import { requireName } from '../snapshotName.js';
import { findSnapshot } from '../snapshotRecords.js';
import type { VmContext } from '../vmContext.js';

/** Gives a snapshot another name, another description, or both. */
export async function RenameSnapshot(
  vm: VmContext,
  snapshot: ManagedObjectReference,
  name: string | undefined,
  description: string | undefined,
): Promise<void> {
  if (name !== undefined) requireName(name);
  if (description !== undefined && typeof description !== 'string')
    throw invalidArgument('description', 'description is no text');
  await vm.records.update((record) => {
    const found = findSnapshot(record, snapshot);
    found.name = name ?? found.name;
    found.description = description ?? found.description;
  });
}
