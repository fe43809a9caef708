/** Who has a file open, as far as this process may see: from the descriptors in /proc, those that hold locks first. */
import { type FileHandle, readdir, readFile, stat } from 'node:fs/promises';
import { type FileId, isSame } from './target.js';

/** Names a process that holds locks on the file, else one that has it open; "another process" where none is seen. */
export async function nameHolder(file: FileId): Promise<string> {
  let opener: string | null = null;
  for (const pid of await list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of await list(`/proc/${pid}/fd`)) {
      // What the kernel knows by itself comes first: asking a file system may take as long as that likes.
      const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, 'latin1').catch(() => '');
      const locks = new RegExp(`^lock:.*:${file.ino} `, 'm').test(info);
      if (!locks && !new RegExp(`^ino:\\s+${file.ino}$`, 'm').test(info)) continue;
      const stats = await stat(`/proc/${pid}/fd/${fd}`, { bigint: true }).catch(() => null);
      if (stats === null || !isSame(stats, file)) continue;
      if (locks) return describe(pid);
      if (Number(pid) !== process.pid) opener ??= pid;
    }
  }
  return opener === null ? 'another process' : describe(opener);
}

/** Whether this process has the file open by another descriptor than this one. */
export async function isOpenHere(file: FileHandle): Promise<boolean> {
  const own = await file.stat({ bigint: true });
  for (const fd of await list('/proc/self/fd')) {
    if (fd === String(file.fd)) continue;
    const stats = await stat(`/proc/self/fd/${fd}`, { bigint: true }).catch(() => null);
    if (stats !== null && isSame(stats, own)) return true;
  }
  return false;
}

async function describe(pid: string): Promise<string> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '');
  return name === '' ? `process ${pid}` : `${name.trimEnd()} (process ${pid})`;
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
