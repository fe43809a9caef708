import type { Ref } from '../../ref.js';
import type { PrlBuffer } from '../arguments.js';
import { call } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { VirtualMachine } from '../objects/virtualMachine.js';
import { take } from '../runtime.js';
import { copyString } from '../strings.js';

/**
 * Name of a VM through a buffer and its length.
 */
export function PrlVmCfg_GetName(vm: PRL_HANDLE, name: PrlBuffer | null, length: Ref<number>): PRL_RESULT {
  return call(() => copyString(take('vm', vm, VirtualMachine).name, name, length));
}
