/** Which VM connection parameters name. */
import { VIX_E_NOT_SUPPORTED } from '../constants/codes.js';
import { VIXDISKLIB_SPEC_VSTORAGE_OBJECT } from '../constants/values.js';
import { invalid, VixFailure } from '../errors.js';
import type { VixDiskLibConnectParams } from '../types.js';

/** The VM that is named; empty for files of this machine. */
export function vmSpecOf(params: VixDiskLibConnectParams | null | undefined): string {
  if (params?.specType === VIXDISKLIB_SPEC_VSTORAGE_OBJECT)
    throw new VixFailure(VIX_E_NOT_SUPPORTED, 'there are no disks here that belong to no VM');
  const spec = params?.vmxSpec ?? '';
  if (typeof spec !== 'string') throw invalid('vmxSpec', 'a text');
  return spec;
}
