/**
 * Where a QEMU runs, as far as it can be seen from here: whose it is, whether it sees the files that we see, and which file it
 * has open under a relative name. Found by the process that listens on its monitor.
 */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import path from 'node:path';
import { listenerAt } from '../../linux/listeners.js';

export interface QemuPlace {
  pid: number;
  /** With which it opens files. */
  uid: number;
  gids: readonly number[];
}

/** Null where its process cannot be seen: on another machine, in another network namespace, or another user's. */
export async function placeOf(socket: string): Promise<QemuPlace | null> {
  const pid = socket.includes('/') ? await listenerAt(socket) : null;
  if (pid === null) return null;
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const numbers = (field: string): number[] =>
    (new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/).filter(Boolean).map(Number);
  // Real, effective, saved, and the one for file systems.
  const uid = numbers('Uid')[3];
  if (uid === undefined) return null;
  return { pid, uid, gids: [...numbers('Gid').slice(3, 4), ...numbers('Groups')] };
}

/** Whether QEMU has the same file at this path; null where that cannot be seen. */
export async function seesTheSame({ pid }: QemuPlace, file: string): Promise<boolean | null> {
  const root = `/proc/${pid}/root`;
  if ((await stat(`${root}/`).catch(() => null)) === null) return null;
  const [ours, its] = await Promise.all(
    [file, root + path.resolve(file)].map((at) => stat(at, { bigint: true }).catch(() => null)),
  );
  return ours != null && its != null && ours.dev === its.dev && ours.ino === its.ino;
}

/** The folder nearest to the root that this user may not enter, as far as permission bits tell; null where there is none. */
export async function firstClosed(folder: string, { uid, gids }: QemuPlace): Promise<string | null> {
  if (uid === 0) return null;
  const parts = path.resolve(folder).split('/').filter(Boolean);
  for (let depth = 0; depth <= parts.length; depth += 1) {
    const at = `/${parts.slice(0, depth).join('/')}`;
    const info = await stat(at).catch(() => null);
    if (info === null) return null;
    const shift = info.uid === uid ? 6 : gids.includes(info.gid) ? 3 : 0;
    if (((info.mode >> shift) & 1) === 0) return at;
  }
  return null;
}

/** Whether QEMU shows a file by a name that is relative to a folder of its own, and no URI or list of options. */
export function isRelativeName(name: string): boolean {
  return name !== '' && !name.startsWith('/') && !/^[a-z][a-z0-9+.-]*:/i.test(name);
}

/**
 * The files that QEMU has open under these relative names. Its folder may be another by now (`-daemonize`), and so its open
 * files tell: a name is found where one of them alone can be meant.
 */
export async function resolveNames(
  socket: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const pid = names.length === 0 ? null : ((await placeOf(socket))?.pid ?? null);
  if (pid === null) return found;
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''));
  const open = new Set((await Promise.all(links)).filter((link) => link.startsWith('/')));
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '/');
  for (const name of names) {
    const here = path.resolve(cwd, name);
    const fitting = [...open].filter((link) => path.basename(link) === path.basename(name));
    const file = open.has(here) ? here : fitting.length === 1 ? fitting[0] : undefined;
    if (file !== undefined) found.set(name, file);
  }
  return found;
}
