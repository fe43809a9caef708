/** The calls of VixDiskLib that this facade has; held to exports, coverage table and conformance tests. Absent ones answer VIX_E_NOT_SUPPORTED. */
import type { SurfaceEntry } from '../surface.js';

export const surface: readonly SurfaceEntry[] = [
  { name: 'VixDiskLib_AllocateConnectParams', status: 'full' },
  { name: 'VixDiskLib_Attach', status: 'absent', reason: 'an image keeps the parent it was made with (X17)' },
  { name: 'VixDiskLib_CheckRepair', status: 'full' },
  { name: 'VixDiskLib_Cleanup', status: 'full' },
  {
    name: 'VixDiskLib_Clone',
    status: 'partial',
    reason: 'files of this machine, disk types of one file; progress at start and end (X9, X15, X16)',
  },
  { name: 'VixDiskLib_Close', status: 'full' },
  { name: 'VixDiskLib_Connect', status: 'partial', reason: 'files of this machine only (X15)' },
  {
    name: 'VixDiskLib_ConnectEx',
    status: 'partial',
    reason: 'a running VM through a snapshot only, read-only (X6)',
  },
  {
    name: 'VixDiskLib_Create',
    status: 'partial',
    reason: 'no VMFS types; progress at start and end (X9, X16)',
  },
  { name: 'VixDiskLib_CreateChild', status: 'partial', reason: 'the disk type does not count (X16)' },
  { name: 'VixDiskLib_Defragment', status: 'absent', reason: 'there is no such thing for QEMU images (X17)' },
  { name: 'VixDiskLib_Disconnect', status: 'full' },
  {
    name: 'VixDiskLib_EndAccess',
    status: 'partial',
    reason:
      'holds off everything of ours in every process of the machine, not programs that talk to QEMU themselves (X19)',
  },
  { name: 'VixDiskLib_Exit', status: 'full' },
  { name: 'VixDiskLib_Flush', status: 'full' },
  { name: 'VixDiskLib_FreeBlockList', status: 'full' },
  { name: 'VixDiskLib_FreeConnectParams', status: 'full' },
  { name: 'VixDiskLib_FreeErrorText', status: 'full' },
  { name: 'VixDiskLib_FreeInfo', status: 'full' },
  { name: 'VixDiskLib_GetConnectParams', status: 'partial', reason: 'without credentials (X7)' },
  { name: 'VixDiskLib_GetErrorText', status: 'full' },
  { name: 'VixDiskLib_GetInfo', status: 'full' },
  { name: 'VixDiskLib_GetMetadataKeys', status: 'partial', reason: 'kept beside the image, not in it (X1)' },
  { name: 'VixDiskLib_GetTransportMode', status: 'full' },
  { name: 'VixDiskLib_Grow', status: 'partial', reason: 'progress at start and end (X9)' },
  { name: 'VixDiskLib_Init', status: 'partial', reason: 'warn, panic and libDir do nothing (X18)' },
  {
    name: 'VixDiskLib_InitEx',
    status: 'partial',
    reason: 'warn, panic, libDir and configFile do nothing (X18)',
  },
  {
    name: 'VixDiskLib_IsAttachPossible',
    status: 'absent',
    reason: 'an image keeps the parent it was made with (X17)',
  },
  { name: 'VixDiskLib_ListTransportModes', status: 'full' },
  { name: 'VixDiskLib_Open', status: 'full' },
  {
    name: 'VixDiskLib_PrepareForAccess',
    status: 'partial',
    reason:
      'holds off everything of ours in every process of the machine, not programs that talk to QEMU themselves (X19)',
  },
  { name: 'VixDiskLib_QueryAllocatedBlocks', status: 'full' },
  { name: 'VixDiskLib_Read', status: 'full' },
  { name: 'VixDiskLib_ReadAsync', status: 'full' },
  { name: 'VixDiskLib_ReadMetadata', status: 'partial', reason: 'kept beside the image, not in it (X1)' },
  {
    name: 'VixDiskLib_Rename',
    status: 'partial',
    reason: 'one file: extents in files of their own stay (X16)',
  },
  {
    name: 'VixDiskLib_Shrink',
    status: 'absent',
    reason: 'QEMU images give space back when their guest discards it (X17)',
  },
  {
    name: 'VixDiskLib_SpaceNeededForClone',
    status: 'partial',
    reason: 'sparse types are measured as qcow2 (X16)',
  },
  {
    name: 'VixDiskLib_Unlink',
    status: 'partial',
    reason: 'one file: extents in files of their own stay (X16)',
  },
  { name: 'VixDiskLib_Wait', status: 'full' },
  { name: 'VixDiskLib_Write', status: 'full' },
  { name: 'VixDiskLib_WriteAsync', status: 'full' },
  { name: 'VixDiskLib_WriteMetadata', status: 'partial', reason: 'kept beside the image, not in it (X1)' },
];
