/** `qemu-cbt libdir`: where the libraries for compiled programs are. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CbtError } from '../../core/errors.js';
import { type CliIo, tell } from '../io.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const LIBRARIES = ['libvixDiskLib.so.8', 'libprl_sdk.so.7'];

export async function libdir(io: CliIo): Promise<void> {
  // This machine's own build first, as for the addons.
  const folders = [join(root, 'build/Release/sdk'), join(root, `prebuilds/linux-${process.arch}/sdk`)];
  const found = folders.find((folder) => LIBRARIES.every((name) => existsSync(join(folder, 'lib64', name))));
  if (found === undefined)
    throw new CbtError(
      'ERR_CBT_BACKEND_UNAVAILABLE',
      `${LIBRARIES.join(' and ')} were not built: looked in ${folders.join(' and ')}; npm rebuild qemu-cbt builds it`,
      { details: { path: folders[0] ?? null } },
    );
  await tell(io, `${found}\n`);
}
