import { requireUint32 } from '../arguments.js';
import { PBMBF_CREATE_MAP, PBMBF_FSSYNC } from '../constants/flags.js';
import { PJOC_SRV_BEGIN_VM_BACKUP } from '../constants/generated/jobOperations.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import { Job } from '../objects/job.js';
import { PrlVm } from '../objects/virtualMachine.js';
import { take } from '../runtime.js';

/**
 * Fixes all disks of the VM at one instant; the job's result is the backup. PBMBF_CREATE_MAP keeps a new point in time,
 * PBMBF_FSSYNC demands that the guest's file systems were frozen. Bad arguments are the job's code.
 * @param vm Handle of a VM.
 * @param flags PBMBF_CREATE_MAP, PBMBF_FSSYNC, both or 0.
 * @returns Handle of a job, which the caller frees; its code says how it went.
 * @example
 * ```ts
 * const beginning = PrlVm_BeginBackup(vm, PBMBF_CREATE_MAP);
 * await PrlJob_Wait(beginning, 60_000);
 * ```
 */
export function PrlVm_BeginBackup(vm: PRL_HANDLE, flags: number): PRL_HANDLE {
  return Job.start({ operation: PJOC_SRV_BEGIN_VM_BACKUP, of: vm }, async (signal) => {
    const machine = take('vm', vm, PrlVm);
    const wanted = requireUint32('flags', flags);
    const createMap = (wanted & PBMBF_CREATE_MAP) !== 0;
    return [await machine.beginBackup({ createMap, fsSync: (wanted & PBMBF_FSSYNC) !== 0, signal })];
  });
}
