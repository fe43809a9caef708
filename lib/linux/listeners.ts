/**
 * Listening unix sockets as the kernel lists them, which it does also when their file is gone, and the process behind one. Only
 * sockets of our own network namespace are listed, and only processes whose descriptors we may see are found.
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';

interface Listener {
  /** As it was bound: relative to the folder of its process then. */
  path: string;
  inode: string;
}

/** Paths at which something listens; empty where the kernel does not say. */
export async function listeningPaths(): Promise<string[]> {
  return (await listeners()).map(({ path }) => path);
}

/** A process that listens at this path; null where none is seen from here. */
export async function listenerAt(path: string): Promise<number | null> {
  const file = await stat(path, { bigint: true }).catch(() => null);
  const name = basename(await realpath(path).catch(() => path));
  if (file === null) return null;
  const fitting = (await listeners()).filter((listener) => basename(listener.path) === name);
  for (const { pid, listener } of holdersOf(fitting)) {
    try {
      const bound = resolve(readlinkSync(`/proc/${pid}/cwd`), listener.path);
      const its = statSync(`/proc/${pid}/root${bound}`, { bigint: true });
      if (its.dev === file.dev && its.ino === file.ino) return pid;
    } catch {
      // It ended meanwhile, or bound the socket before it changed its folder.
    }
  }
  return null;
}

/** __SO_ACCEPTCON in the kernel's flags: it listens. */
const LISTENS = 0x10000;

async function listeners(): Promise<Listener[]> {
  // Num, RefCount, Protocol, Flags, Type, St, Inode, Path
  const table = await readFile('/proc/net/unix', 'utf8').catch(() => '');
  return table.split('\n').flatMap((line) => {
    const found = /^\S+ \S+ \S+ ([0-9A-F]+) \S+ \S+ +(\d+) (.+)$/.exec(line);
    const [, flags = '0', inode = '', path = ''] = found ?? [];
    return (Number.parseInt(flags, 16) & LISTENS) === 0 ? [] : [{ path, inode }];
  });
}

function* holdersOf(wanted: readonly Listener[]): Generator<{ pid: number; listener: Listener }> {
  if (wanted.length === 0) return;
  const byLink = new Map(wanted.map((listener) => [`socket:[${listener.inode}]`, listener]));
  const pids = list('/proc').filter((name) => /^\d+$/.test(name));
  // There may be thousands of processes, and it is one of QEMU's as a rule.
  const likely = new Map(pids.map((pid) => [pid, read(`/proc/${pid}/comm`).startsWith('qemu')]));
  pids.sort((a, b) => Number(likely.get(b)) - Number(likely.get(a)));
  for (const pid of pids) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      const listener = byLink.get(link(`/proc/${pid}/fd/${fd}`));
      if (listener !== undefined) yield { pid: Number(pid), listener };
    }
  }
}

// Processes come and go while they are looked at: what cannot be read is not there.
function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
