/**
 * The mark of an image that is being restored: a file beside it, from before the first write until all of it is what was wanted. Whoever is
 * killed in between leaves it, and an image that is partly one disk and partly another is known as such. It is of that very file, not of its
 * name; what lies there and is no such mark is somebody’s own, and is neither replaced nor taken for the word that the image is whole.
 */
import type { FileHandle } from 'node:fs/promises';
import { lstat, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { isMissing, onFile } from '../linux/fileFault.js';
import { lastingIdentity } from '../linux/fileIdentity.js';
import { openRegularFile } from '../linux/regularFile.js';
import { shellWord } from '../linux/shellWord.js';
import { syncFolder } from '../linux/stable.js';
import { realPathAsText } from '../linux/textPath.js';
import { writeWholeFile } from '../linux/wholeFile.js';

const END = '.restoring';
const MAX_BYTES = 16 << 10;

/** Strict: one with more in it is of a version that we do not know. */
const markSchema = z.strictObject({
  format: z.literal('qemu-cbt-restoring'),
  /** Of the image's file. */
  file: z.string(),
  from: z.string(),
  run: z.number().int().positive(),
  pit: z.string(),
  disk: z.string(),
  since: z.string(),
});

/** Which disk of which run the image becomes. */
export type Restoring = Pick<z.infer<typeof markSchema>, 'from' | 'run' | 'pit' | 'disk'>;

/** What lies beside an image: our mark of it; one of another file; or what is no mark, and why. */
type Mark =
  | { path: string; of: 'it' | 'another'; restoring: Restoring; why: string }
  | { path: string; of: null; why: string };

/** An image that is not whole, or that may not be: in words, and what a person can do about it. */
export interface InPart {
  /** Null where what lies there does not tell. */
  restoring: Restoring | null;
  message: string;
  advice: string;
}

/**
 * Marks the image; false where it has no file of its own (a device), or nothing can be written beside it. Throws where something lies in the
 * mark’s place that is none.
 */
export async function markRestoring(image: string, restoring: Restoring): Promise<boolean> {
  const file = await lastingIdentity(image);
  if (file === null) return false;
  const before = await markAt(image, file);
  if (before?.of === null) throw notWhole(image, doubted(image, before));
  const mark = { format: 'qemu-cbt-restoring', file, ...restoring, since: new Date().toISOString() };
  const path = await markOf(image);
  try {
    await writeWholeFile(path, (handle) => handle.writeFile(`${JSON.stringify(mark)}\n`), {
      mode: 0o600,
      links: 'refuse',
      requireFree: async (found) => {
        const read = await readMark(found);
        if (typeof read === 'string') throw notWhole(image, doubted(image, { path, of: null, why: read }));
      },
    });
    return true;
  } catch (error) {
    // A restore that nothing marks is better than none: its caller hears how it ends.
    if (error instanceof CbtError && 'errno' in error.details) return false;
    throw error;
  }
}

/** The image is what was wanted, or what it was before. What is no mark of this very file stays. */
export async function unmarkRestoring(image: string): Promise<void> {
  const file = await lastingIdentity(image);
  const mark = file === null ? null : await markAt(image, file);
  if (mark?.of !== 'it') return;
  await onFile(mark.path, 'removing', () => rm(mark.path, { force: true }));
  await syncFolder(dirname(mark.path));
}

/** Null for an image beside which nothing lies: it is whole, as far as restores go. */
export async function findRestoring(image: string): Promise<InPart | null> {
  const file = await lastingIdentity(image);
  const mark = file === null ? null : await markAt(image, file);
  if (mark === null) return null;
  if (mark.of !== 'it') return doubted(image, mark);
  const { from, run, disk } = mark.restoring;
  return {
    restoring: mark.restoring,
    message: `${image} is being restored, or was left restored in part: to ${disk} of run ${run} of ${from}`,
    advice: `the same restore goes on from there (${command(mark.restoring, image)}); where the image is wanted as it is, remove ${mark.path}`,
  };
}

/** Throws for an image that is restored in part, or may be: a point in time would be one of a disk that never was. */
export async function requireWhole(image: string): Promise<void> {
  const found = await findRestoring(image);
  if (found !== null) throw notWhole(image, found);
}

/** No waiting helps, so it is no `BUSY`. */
function notWhole(image: string, { message, advice, restoring }: InPart): CbtError {
  return new CbtError('ERR_CBT_INVALID_ARGUMENT', `${message}; ${advice}`, {
    disk: image,
    details: { path: image, ...(restoring !== null && { run: restoring.run, from: restoring.from }) },
  });
}

function doubted(image: string, mark: Mark): InPart {
  const message = `${image} may be restored in part: ${mark.path} ${mark.why}`;
  const wholeAsItIs = `when the image is known to be whole, remove ${mark.path}`;
  return mark.of === null
    ? { restoring: null, message, advice: `look what it is, and ${wholeAsItIs}` }
    : {
        restoring: null,
        message,
        advice: `run the restore again (${command(mark.restoring, image)}), or ${wholeAsItIs}`,
      };
}

function command({ from, run, disk }: Restoring, image: string): string {
  return `\`qemu-cbt restore --from ${shellWord(from)} --pit ${run} --disk ${shellWord(disk)} --onto ${shellWord(image)}\``;
}

async function markOf(image: string): Promise<string> {
  return `${await onFile(image, 'looking', () => realPathAsText(image))}${END}`;
}

/** What lies beside the image, which is the file `file`; null where nothing does. */
async function markAt(image: string, file: string): Promise<Mark | null> {
  const path = await markOf(image);
  try {
    await lstat(path);
  } catch (error) {
    // A name that is too long is nobody's.
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return null;
    return { path, of: null, why: `cannot be looked at: ${(error as Error).message}` };
  }
  try {
    await using handle = await openRegularFile(path);
    const read = await readMark(handle);
    if (typeof read === 'string') return { path, of: null, why: read };
    return read.file === file
      ? { path, of: 'it', restoring: read, why: 'is its mark' }
      : {
          path,
          of: 'another',
          restoring: read,
          why: `is the mark of another file (${read.file}, not ${file}): one of them was copied, renamed or replaced`,
        };
  } catch (error) {
    if (isMissing(error)) return null;
    return { path, of: null, why: `is no mark that can be read: ${(error as Error).message}` };
  }
}

/** The mark; else why it is none. */
async function readMark(handle: FileHandle): Promise<z.infer<typeof markSchema> | string> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
  if (bytesRead > MAX_BYTES) return `has more than ${MAX_BYTES} bytes, which no mark of a restore has`;
  try {
    const checked = markSchema.safeParse(JSON.parse(buffer.toString('utf8', 0, bytesRead)));
    if (checked.success) return checked.data;
  } catch {
    // No JSON.
  }
  return `is no mark of a restore that this version knows (${bytesRead} bytes)`;
}
