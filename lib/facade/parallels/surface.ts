/**
 * The calls of the SDK that this facade has: what its coverage table, its exports and its conformance tests are held to. An
 * absent one is there all the same and answers PRL_ERR_UNIMPLEMENTED.
 */
export interface SurfaceEntry {
  name: string;
  status: 'full' | 'partial' | 'absent';
  /** Why it is not full. */
  reason?: string;
}

export const surface: readonly SurfaceEntry[] = [
  { name: 'PrlApi_Deinit', status: 'full' },
  { name: 'PrlApi_GetResultDescription', status: 'full' },
  { name: 'PrlApi_GetVersion', status: 'full' },
  { name: 'PrlApi_Init', status: 'full' },
  { name: 'PrlApi_InitEx', status: 'partial', reason: 'PAM_SERVER only' },
  { name: 'PrlBuffer_Free', status: 'full' },
  { name: 'PrlDiskMap_GetGranularity', status: 'full' },
  { name: 'PrlDiskMap_GetSize', status: 'full' },
  { name: 'PrlDiskMap_Read', status: 'full' },
  { name: 'PrlDiskOpenPolicy_CreateOffset', status: 'full' },
  { name: 'PrlDisk_CreateDisk_Local', status: 'full' },
  { name: 'PrlDisk_FlushCache', status: 'full' },
  { name: 'PrlDisk_Free', status: 'full' },
  { name: 'PrlDisk_GetChangesMap_Local', status: 'full' },
  {
    name: 'PrlDisk_GetDiskInfo',
    status: 'partial',
    reason: 'the structure is an object, not packed bytes (P2)',
  },
  {
    name: 'PrlDisk_OpenDisk_Local',
    status: 'partial',
    reason:
      'Parallels images are read-only; a .hdd with snapshots is refused: QEMU reads the data of one image',
  },
  { name: 'PrlDisk_Read', status: 'full' },
  { name: 'PrlDisk_SwitchToState', status: 'absent', reason: 'the SDK has it unimplemented too' },
  { name: 'PrlDisk_WaitForCompletion', status: 'absent', reason: 'the SDK has it unimplemented too' },
  { name: 'PrlDisk_Write', status: 'full' },
  { name: 'PrlHandle_AddRef', status: 'full' },
  { name: 'PrlHandle_Free', status: 'full' },
  { name: 'PrlHandle_GetType', status: 'full' },
  { name: 'PrlJob_Cancel', status: 'full' },
  { name: 'PrlJob_GetResult', status: 'full' },
  { name: 'PrlJob_GetRetCode', status: 'full' },
  { name: 'PrlJob_GetStatus', status: 'full' },
  { name: 'PrlJob_Wait', status: 'full' },
  { name: 'PrlResult_GetParam', status: 'full' },
  { name: 'PrlResult_GetParamAsString', status: 'full' },
  { name: 'PrlResult_GetParamByIndex', status: 'full' },
  { name: 'PrlResult_GetParamsCount', status: 'full' },
  { name: 'PrlSrv_Create', status: 'full' },
  {
    name: 'PrlSrv_CreateVmBackup',
    status: 'absent',
    reason: 'push-style backup needs the dispatcher and backup server of Virtuozzo',
  },
  {
    name: 'PrlSrv_CreateVmBackupEx',
    status: 'absent',
    reason: 'push-style backup needs the dispatcher and backup server of Virtuozzo',
  },
  { name: 'PrlSrv_GetVmConfig', status: 'full' },
  { name: 'PrlSrv_GetVmList', status: 'full' },
  { name: 'PrlSrv_Login', status: 'absent', reason: 'there is no remote host: PrlSrv_LoginLocal' },
  { name: 'PrlSrv_LoginLocal', status: 'partial', reason: 'VMs come from a file or a folder of QMP sockets' },
  { name: 'PrlSrv_Logoff', status: 'full' },
  { name: 'PrlVmBackup_Commit', status: 'full' },
  { name: 'PrlVmBackup_GetDisk', status: 'full' },
  { name: 'PrlVmBackup_GetDisksCount', status: 'full' },
  { name: 'PrlVmBackup_GetUuid', status: 'full' },
  { name: 'PrlVmBackup_Rollback', status: 'full' },
  { name: 'PrlVmCfg_GetName', status: 'full' },
  { name: 'PrlVmCfg_GetUuid', status: 'full' },
  { name: 'PrlVm_BeginBackup', status: 'partial', reason: 'running VMs only' },
];
