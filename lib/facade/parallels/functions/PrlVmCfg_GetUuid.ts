import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { VirtualMachine } from '../objects/virtualMachine.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * UUID of a VM, with braces, through a buffer and its length; asked from QEMU unless it is configured.
 */
export async function PrlVmCfg_GetUuid(
  vm: PRL_HANDLE,
  uuid: PrlBuffer | null,
  length: Ref<number>,
): Promise<PRL_RESULT> {
  return callAsync(async () => copyString(`{${await take('vm', vm, VirtualMachine).uuid()}}`, uuid, length));
}
