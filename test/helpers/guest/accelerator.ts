/**
 * What runs the guest's code. KVM on hardware that virtualizes; anything else that offers /dev/kvm (a KVM that itself runs
 * inside a virtual machine without nesting) interprets kernel code, far slower than QEMU's own translator does.
 */
import { access, constants } from 'node:fs/promises';

export type Accelerator = 'kvm' | 'tcg';

/** `GUEST_ACCEL` in the environment decides otherwise. */
export async function chooseAccelerator(): Promise<Accelerator> {
  const asked = process.env['GUEST_ACCEL'];
  if (asked === 'kvm' || asked === 'tcg') return asked;
  const usable = await can('/dev/kvm', constants.R_OK | constants.W_OK);
  const hardware = (await can('/sys/module/kvm_intel')) || (await can('/sys/module/kvm_amd'));
  return usable && hardware ? 'kvm' : 'tcg';
}

function can(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
