/**
 * The disk map and backup calls of the Parallels Cloud Server / Virtuozzo SDK over QEMU disks. Two faces on the same objects: the SDK's
 * functions, name for name, with handles, result codes and `ref()` boxes for out parameters; and the objects themselves, which throw.
 * Calls that do I/O return a promise of their result, so `await` fits every call.
 */

export type { VmEntry } from '../../host/hostVm.js';
export { type Ref, ref } from '../ref.js';
export type { PrlBuffer } from './arguments.js';
export * from './constants/flags.js';
export * from './constants/handleTypes.js';
export * from './constants/results.js';
export { PrlError } from './errors.js';
export { PrlApi_Deinit } from './functions/PrlApi_Deinit.js';
export { PrlApi_GetResultDescription } from './functions/PrlApi_GetResultDescription.js';
export { PrlApi_GetVersion } from './functions/PrlApi_GetVersion.js';
export { PrlApi_Init } from './functions/PrlApi_Init.js';
export { PrlApi_InitEx } from './functions/PrlApi_InitEx.js';
export { PrlBuffer_Free } from './functions/PrlBuffer_Free.js';
export { PrlDisk_CreateDisk_Local } from './functions/PrlDisk_CreateDisk_Local.js';
export { PrlDisk_FlushCache } from './functions/PrlDisk_FlushCache.js';
export { PrlDisk_Free } from './functions/PrlDisk_Free.js';
export { PrlDisk_GetChangesMap_Local } from './functions/PrlDisk_GetChangesMap_Local.js';
export { PrlDisk_GetDiskInfo } from './functions/PrlDisk_GetDiskInfo.js';
export { PrlDisk_OpenDisk_Local } from './functions/PrlDisk_OpenDisk_Local.js';
export { PrlDisk_Read } from './functions/PrlDisk_Read.js';
export { PrlDisk_SwitchToState } from './functions/PrlDisk_SwitchToState.js';
export { PrlDisk_WaitForCompletion } from './functions/PrlDisk_WaitForCompletion.js';
export { PrlDisk_Write } from './functions/PrlDisk_Write.js';
export { PrlDiskMap_GetGranularity } from './functions/PrlDiskMap_GetGranularity.js';
export { PrlDiskMap_GetSize } from './functions/PrlDiskMap_GetSize.js';
export { PrlDiskMap_Read } from './functions/PrlDiskMap_Read.js';
export { PrlDiskOpenPolicy_CreateOffset } from './functions/PrlDiskOpenPolicy_CreateOffset.js';
export { PrlHandle_AddRef } from './functions/PrlHandle_AddRef.js';
export { PrlHandle_Free } from './functions/PrlHandle_Free.js';
export { PrlHandle_GetType } from './functions/PrlHandle_GetType.js';
export { PrlJob_Cancel } from './functions/PrlJob_Cancel.js';
export { PrlJob_GetResult } from './functions/PrlJob_GetResult.js';
export { PrlJob_GetRetCode } from './functions/PrlJob_GetRetCode.js';
export { PrlJob_GetStatus } from './functions/PrlJob_GetStatus.js';
export { PrlJob_Wait } from './functions/PrlJob_Wait.js';
export { PrlResult_GetParam } from './functions/PrlResult_GetParam.js';
export { PrlResult_GetParamAsString } from './functions/PrlResult_GetParamAsString.js';
export { PrlResult_GetParamByIndex } from './functions/PrlResult_GetParamByIndex.js';
export { PrlResult_GetParamsCount } from './functions/PrlResult_GetParamsCount.js';
export { PrlSrv_Create } from './functions/PrlSrv_Create.js';
export { PrlSrv_CreateVmBackup } from './functions/PrlSrv_CreateVmBackup.js';
export { PrlSrv_CreateVmBackupEx } from './functions/PrlSrv_CreateVmBackupEx.js';
export { PrlSrv_GetVmConfig } from './functions/PrlSrv_GetVmConfig.js';
export { PrlSrv_GetVmList } from './functions/PrlSrv_GetVmList.js';
export { PrlSrv_Login } from './functions/PrlSrv_Login.js';
export { PrlSrv_LoginLocal } from './functions/PrlSrv_LoginLocal.js';
export { PrlSrv_Logoff } from './functions/PrlSrv_Logoff.js';
export { PrlVm_BeginBackup } from './functions/PrlVm_BeginBackup.js';
export { PrlVmBackup_Commit } from './functions/PrlVmBackup_Commit.js';
export { PrlVmBackup_GetDisk } from './functions/PrlVmBackup_GetDisk.js';
export { PrlVmBackup_GetDisksCount } from './functions/PrlVmBackup_GetDisksCount.js';
export { PrlVmBackup_GetUuid } from './functions/PrlVmBackup_GetUuid.js';
export { PrlVmBackup_Rollback } from './functions/PrlVmBackup_Rollback.js';
export { PrlVmCfg_GetName } from './functions/PrlVmCfg_GetName.js';
export { PrlVmCfg_GetUuid } from './functions/PrlVmCfg_GetUuid.js';
export { Backup } from './objects/backup.js';
export { Disk, type DiskInfo } from './objects/disk.js';
export { type ChangedArea, DiskMap } from './objects/diskMap.js';
export { configureLocalServer, LocalServer } from './objects/localServer.js';
export { configureDisks, type OpenDiskOptions, openDisk } from './objects/openDisk.js';
export { type BeginBackupOptions, VirtualMachine } from './objects/virtualMachine.js';
export { type PrlObject, Runtime, runWithRuntime } from './runtime.js';
export type { PRL_DISK_PARAMETERS, PRL_STORAGE_PARAMETERS } from './structs.js';
