/** The processes of this machine, read from /proc: a program that lists them costs more than most of what is tried here. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface Running {
  pid: number;
  parent: number;
  command: string;
}

/** The numbers of all that run now: what is not looked at again costs nothing. */
export function numbers(): ReadonlySet<string> {
  return new Set(readdirSync('/proc').filter((name) => /^\d+$/.test(name)));
}

/** All that run now, but those; zombies have no command any more, and are left out. */
export function running(except: ReadonlySet<string> = new Set()): Running[] {
  return [...numbers()].flatMap((name) => {
    if (except.has(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      if (command === '') return [];
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return [{ pid: Number(name), parent, command }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

/** Those that a process started, and that these started. */
export function descendants(pid: number): Running[] {
  const all = running();
  const found: Running[] = [];
  for (let of = [pid]; of.length > 0; ) {
    const next = all.filter(({ parent }) => of.includes(parent));
    found.push(...next);
    of = next.map((child) => child.pid);
  }
  return found;
}

/** Whether it has that open, or a file of that folder: a storage daemon is told its images only when it runs. */
export function hasOpenIn(pid: number, place: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const open = readlinkSync(`/proc/${pid}/fd/${fd}`);
      return open === place || open.startsWith(`${place}/`);
    });
  } catch {
    return false;
  }
}
