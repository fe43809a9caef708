/** The methods of the API that this facade has, with how far; held to exports, coverage table and conformance tests. */
import type { SurfaceEntry } from '../surface.js';

export const surface: readonly SurfaceEntry[] = [
  { name: 'ConsolidateVMDisks_Task', status: 'full' },
  {
    name: 'CreateSnapshotEx_Task',
    status: 'partial',
    reason: 'no memory (V15); one snapshot at a time is readable (V1)',
  },
  {
    name: 'CreateSnapshot_Task',
    status: 'partial',
    reason: 'no memory (V15); one snapshot at a time is readable (V1)',
  },
  { name: 'CurrentTime', status: 'full' },
  { name: 'FindAllByUuid', status: 'full' },
  { name: 'FindByDatastorePath', status: 'full' },
  {
    name: 'FindByDnsName',
    status: 'partial',
    reason: 'guests are not asked for their names: never found (V14)',
  },
  { name: 'FindByInventoryPath', status: 'full' },
  { name: 'FindByUuid', status: 'full' },
  { name: 'FindChild', status: 'full' },
  { name: 'QueryChangedDiskAreas', status: 'full' },
  {
    name: 'ReconfigVM_Task',
    status: 'partial',
    reason: 'change tracking only, for all disks of the VM (V15)',
  },
  { name: 'RemoveAllSnapshots_Task', status: 'full' },
  { name: 'RemoveSnapshot_Task', status: 'full' },
  { name: 'RenameSnapshot', status: 'full' },
  { name: 'RetrieveContent', status: 'full' },
  {
    name: 'RevertToCurrentSnapshot_Task',
    status: 'absent',
    reason: 'disks cannot be replaced under a running QEMU (V6)',
  },
  {
    name: 'RevertToSnapshot_Task',
    status: 'absent',
    reason: 'disks cannot be replaced under a running QEMU (V6)',
  },
];
