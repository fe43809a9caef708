import { NotSupported } from '../faultClasses.js';

/** Not supported: a snapshot here is what a backup reads, and going back would need the guest's disks replaced under a running QEMU. */
export async function RevertToCurrentSnapshot_Task(): Promise<never> {
  throw new NotSupported('a VM cannot be reverted to a snapshot: restore its disks from a backup');
}
