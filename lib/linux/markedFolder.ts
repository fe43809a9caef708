/** Folders for what a process needs while it lives: their names tell whose they are, so that what a killed one left goes with the next one of the kind. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFile } from './fileFault.js';
import { ownMark, removeDeadMarks, stateOf } from './processMark.js';

/** Makes a folder that only we can enter, and removes those of the same kind whose processes are gone. The caller removes it. */
export async function makeMarkedFolder(kind: string, place = tmpdir()): Promise<string> {
  await removeDead(kind, place);
  const start = join(place, `cbt-${kind}-${await ownMark()}-`);
  // mkdtemp makes folders with mode 0700.
  return onFile(place, 'making a folder in it', () => mkdtemp(start));
}

async function removeDead(kind: string, place: string): Promise<void> {
  await removeDeadMarks();
  const shape = new RegExp(`^cbt-${kind}-([0-9a-f]{16})-`);
  for (const name of await readdir(place).catch(() => [])) {
    const owner = shape.exec(name)?.[1];
    if (owner === undefined || (await stateOf(owner)) !== 'dead') continue;
    await rm(join(place, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
