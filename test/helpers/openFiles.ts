/** What this process holds open. */
import { readdir, readlink } from 'node:fs/promises';

/** Files in a folder, or the folder itself, that are open: once a call has ended nothing is, and so nothing is locked. */
export async function openFilesBelow(place: string): Promise<string[]> {
  const fds = await readdir('/proc/self/fd');
  const files = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return files.filter((file) => file.startsWith(`${place}/`) || file === place);
}
