import type { Ref } from '../../ref.js';
import { requireRef, requireText, requireUint32 } from '../arguments.js';
import { callAsync } from '../call.js';
import type { PRL_HANDLE } from '../constants/handleTypes.js';
import type { PRL_RESULT } from '../constants/results.js';
import { invalid } from '../errors.js';
import { HandlesList } from '../objects/lists.js';
import { openPrlDisk } from '../objects/openDisk.js';
import { OffsetPolicy } from '../objects/openPolicy.js';
import { give, runtime } from '../runtime.js';

/**
 * Opens a disk: an `nbd:` URL, a `.hdd` folder or `.hds` image, a qcow2 image. `flags`: PRL_DISK_READ or PRL_DISK_WRITE. `policies`: 0, or
 * a list of handles with a policy of PrlDiskOpenPolicy_CreateOffset; a live handle of another type is PRL_ERR_INVALID_ARG, a dead one counts as none.
 * What is not recognised as an image is PRL_ERR_INVALID_ARG.
 * @param disk Box for the disk.
 * @param name Path of an image, or the URL of an NBD export.
 * @param flags `PRL_DISK_…`, added; those of opening for reading or writing count.
 * @param policies Handle of a list of policies; 0 for none.
 * @returns PRL_ERR_SUCCESS, or what went wrong; {@link PrlApi_GetResultDescription} has the reason.
 * @example
 * ```ts
 * const opened = ref<number>();
 * const code = await PrlDisk_OpenDisk_Local(opened, '/vm/disk.qcow2', PRL_DISK_READ);
 * ```
 */
export async function PrlDisk_OpenDisk_Local(
  disk: Ref<PRL_HANDLE | undefined> | null,
  name: string | null,
  flags: number,
  policies: PRL_HANDLE = 0,
): Promise<PRL_RESULT> {
  return callAsync(async () => {
    runtime().requireInitialised();
    const out = requireRef('disk', disk);
    const path = requireText('name', name);
    requireUint32('flags', flags);
    const list = runtime().table.get(policies, HandlesList);
    if (list === undefined && runtime().table.has(policies))
      throw invalid('policies', '0 or the handle of a list of handles');
    const [policy, ...more] = list?.objects ?? [];
    if (more.length > 0 || (policy !== undefined && !(policy instanceof OffsetPolicy)))
      throw invalid('policies', 'a list of one open policy');
    give(out, await openPrlDisk(path, { flags, byteOffset: policy?.byteOffset ?? 0 }));
  });
}
