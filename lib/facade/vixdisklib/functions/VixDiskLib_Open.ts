import type { Ref } from '../../ref.js';
import { requireCount, requireRef } from '../arguments.js';
import { callAsync } from '../call.js';
import type { VixError } from '../constants/codes.js';
import { VixDiskLibConnection } from '../objects/connection.js';
import type { VixDiskLibHandle } from '../objects/handle.js';
import { openDisk } from '../objects/openDisk.js';

/**
 * Opens a disk: an image by its absolute path or `[store] folder/name`, or, on a connection to a snapshot, one of its disks by the file name in the
 * snapshot's configuration, or as `qemu-cbt serve` shows it (`[local] web/vda.vmdk`). Flags: read-only, single link (what the layers below hold is left out); the others do nothing.
 * @param connection Of {@link VixDiskLib_Connect} or {@link VixDiskLib_ConnectEx}.
 * @param path Absolute path of the image, or `[store] folder/name`.
 * @param flags `VIXDISKLIB_FLAG_OPEN_…`, added.
 * @param diskHandle Box for the handle.
 * @returns VIX_OK, or the code of what went wrong; {@link VixDiskLib_GetErrorText} has the reason.
 * @example
 * ```ts
 * const disk = ref<VixDiskLibHandle>();
 * const code = await VixDiskLib_Open(connection, '/vm/disk.qcow2', VIXDISKLIB_FLAG_OPEN_READ_ONLY, disk);
 * ```
 */
export async function VixDiskLib_Open(
  connection: VixDiskLibConnection | null | undefined,
  path: string | null | undefined,
  flags: number,
  diskHandle: Ref<VixDiskLibHandle | undefined> | null | undefined,
): Promise<VixError> {
  return callAsync(async () => {
    const opened = VixDiskLibConnection.of(connection);
    const out = requireRef('diskHandle', diskHandle);
    out.value = await openDisk(opened, path, requireCount('flags', flags));
  });
}
