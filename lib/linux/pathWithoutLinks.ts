/** A path without symbolic links, also of what is not there yet: QEMU makes sockets, and folders of them, when it starts. */
import { readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const MAX_LINKS = 40;

export function pathWithoutLinks(path: string): string {
  let plain = followFolders(resolve(path));
  for (let links = 0; links < MAX_LINKS; links += 1) {
    const to = linkAt(plain);
    if (to === null) break;
    plain = followFolders(resolve(dirname(plain), to));
  }
  return plain;
}

/** The links of its folders followed, as far as those are there. */
function followFolders(path: string): string {
  const folder = dirname(path);
  if (folder === path) return path;
  let real: string;
  try {
    real = realpathSync(folder);
  } catch {
    real = followFolders(folder);
  }
  return join(real, basename(path));
}

function linkAt(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
