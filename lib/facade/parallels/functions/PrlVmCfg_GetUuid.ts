import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlVm } from '../objects/virtualMachine.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * UUID of a VM, with braces, through a buffer and its length; asked from QEMU unless it is configured.
 * @param vm Handle of a VM.
 * @param uuid Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(39);
 * const uuid = Buffer.alloc(length.value);
 * const code = await PrlVmCfg_GetUuid(vm, uuid, length);
 * ```
 */
export async function PrlVmCfg_GetUuid(
  vm: PRL_HANDLE,
  uuid: PrlBuffer | null,
  length: Ref<number>,
): Promise<PRL_RESULT> {
  return callAsync(async () => copyString(`{${await take('vm', vm, PrlVm).uuid()}}`, uuid, length));
}
