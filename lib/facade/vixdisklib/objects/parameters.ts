/** Arguments that several calls take. */
import { VIX_E_FILE_READ_ONLY, VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT } from '../constants/codes.js';
import { invalid, VixFailure } from '../errors.js';
import type { VixDiskLibCreateParams } from '../types.js';
import type { VixDiskLibConnection } from './connection.js';

export function requireCreateParams(
  params: VixDiskLibCreateParams | null | undefined,
): VixDiskLibCreateParams {
  if (typeof params !== 'object' || params === null) throw invalid('createParams', 'VixDiskLibCreateParams');
  return params;
}

/** Images are made and changed on this machine, and never through a connection for reading. */
export function requireLocal(connection: VixDiskLibConnection): void {
  if (connection.remote !== null)
    throw new VixFailure(
      VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
      'this is done with files of this machine only',
    );
  if (connection.readOnly) throw new VixFailure(VIX_E_FILE_READ_ONLY, 'the connection is for reading only');
}
