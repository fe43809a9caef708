/**
 * Numbers of VMs, given out once in a state folder and never again. The number is spent before anybody has it: a process that is
 * killed in between leaves one that nobody gets.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { tryHold } from '../linux/kernelLock.js';
import { writeWholeFile } from '../linux/wholeFile.js';

const NAME = 'vm-ids.json';
const schema = z.object({
  version: z.literal(1),
  next: z
    .number()
    .int()
    .positive()
    .max(2 ** 31),
});
/** Giving out a number takes milliseconds. */
const PATIENCE_MS = 30_000;

/** The next number. Where the count is lost it goes on after the highest that `idIn` finds in a file of the folder. */
export async function drawVmId(
  folder: string,
  idIn: (file: string, text: string) => number,
): Promise<number> {
  const file = join(folder, NAME);
  await using lock = await tryHold(`${file}.lock`, { create: 0o600, waitMs: PATIENCE_MS });
  if (lock === null)
    throw new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${file} is being changed by another process`, {
      reason: 'BUSY',
      details: { path: file },
    });
  const next = (await readNext(file)) ?? (await afterAll(folder, idIn));
  await writeWholeFile(file, (to) => to.writeFile(`${JSON.stringify({ version: 1, next: next + 1 })}\n`), {
    mode: 0o600,
  });
  return next;
}

async function readNext(file: string): Promise<number | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw damaged(file, 'cannot be read', cause);
  }
  try {
    return schema.parse(JSON.parse(text)).next;
  } catch (cause) {
    throw damaged(
      file,
      'is damaged: remove it, and numbers go on after the highest that a record has',
      cause,
    );
  }
}

async function afterAll(folder: string, idIn: (file: string, text: string) => number): Promise<number> {
  let highest = 0;
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.json')) continue;
    const file = join(folder, name);
    highest = Math.max(highest, idIn(file, await readFile(file, 'utf8')));
  }
  return highest + 1;
}

function damaged(file: string, what: string, cause: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `${file} ${what}`, { details: { path: file }, cause });
}
