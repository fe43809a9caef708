import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { PrlVm } from '../objects/virtualMachine.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * Name of a VM through a buffer and its length.
 * @param vm Handle of a VM.
 * @param name Takes the text, closed by a NUL; NULL to ask for its length.
 * @param length Box with the bytes of the buffer; holds those needed afterwards.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const length = ref(256);
 * const name = Buffer.alloc(length.value);
 * const code = PrlVmCfg_GetName(vm, name, length);
 * ```
 */
export function PrlVmCfg_GetName(vm: PRL_HANDLE, name: PrlBuffer | null, length: Ref<number>): PRL_RESULT {
  return call(() => copyString(take('vm', vm, PrlVm).name, name, length));
}
