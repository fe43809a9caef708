/** The guards of sessions, as processes of this machine. */
import { readdir, readFile } from 'node:fs/promises';

/** Process numbers of the guards of sessions with their files below this folder. */
export async function guardsBelow(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('guard.cjs') && line.includes(folder)) found.push(Number(pid));
  }
  return found;
}
