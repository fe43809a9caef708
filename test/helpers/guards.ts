/** The guards of sessions, as processes of this machine. */
import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { eventually } from './eventually.js';

/** Process numbers of the guards of sessions with their files below this folder. */
export async function guardsBelow(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes('guard.cjs') && line.includes(folder)) found.push(Number(pid));
  }
  return found;
}

/** Kills them, and waits until they hold no lock any more: until then their sessions look as if somebody had them. */
export async function killGuardsBelow(folder: string): Promise<void> {
  for (const pid of await guardsBelow(folder)) {
    process.kill(pid, 'SIGKILL');
    // A process that has ended, and whose end nobody has asked for yet, has let go of its files.
    await eventually(async () => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
      expect(stat).toMatch(/\) [ZX]/);
    });
  }
}
