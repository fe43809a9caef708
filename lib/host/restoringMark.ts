/**
 * The mark of an image that is being restored: a file beside it, from before the first write until all of it is what was wanted. Whoever is
 * killed in between leaves it, and an image that is partly one disk and partly another is known as such. It is of that very file, not of its name.
 */
import { rm } from 'node:fs/promises';
import { z } from 'zod';
import { CbtError } from '../core/errors.js';
import { isMissing, onFile } from '../linux/fileFault.js';
import { lastingIdentity } from '../linux/fileIdentity.js';
import { openRegularFile } from '../linux/regularFile.js';
import { realPathAsText } from '../linux/textPath.js';
import { writeWholeFile } from '../linux/wholeFile.js';

const END = '.restoring';
const MAX_BYTES = 16 << 10;

const markSchema = z.object({
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

/** Marks the image; false where it has no file of its own (a device), or nothing can be written beside it. */
export async function markRestoring(image: string, restoring: Restoring): Promise<boolean> {
  const file = await lastingIdentity(image);
  if (file === null) return false;
  const mark = { format: 'qemu-cbt-restoring', file, ...restoring, since: new Date().toISOString() };
  const path = await markOf(image);
  try {
    await writeWholeFile(path, (handle) => handle.writeFile(`${JSON.stringify(mark)}\n`), {
      mode: 0o600,
      links: 'refuse',
    });
    return true;
  } catch (error) {
    // A restore that nothing marks is better than none: its caller hears how it ends.
    if (error instanceof CbtError && 'errno' in error.details) return false;
    throw error;
  }
}

/** The image is what was wanted, or what it was before. */
export async function unmarkRestoring(image: string): Promise<void> {
  const path = await markOf(image);
  await onFile(path, 'removing', () => rm(path, { force: true }));
}

/** What an image is being made into, or was when it was left; null for one that is whole. */
export async function findRestoring(image: string): Promise<Restoring | null> {
  const file = await lastingIdentity(image);
  if (file === null) return null;
  const path = await markOf(image);
  const text = await onFile(path, 'reading', () => textOf(path));
  try {
    const checked = markSchema.safeParse(JSON.parse(text ?? ''));
    return checked.success && checked.data.file === file ? checked.data : null;
  } catch {
    return null;
  }
}

/** Throws `BUSY` for an image that is restored in part: a point in time would be one of a disk that never was. */
export async function requireWhole(image: string): Promise<void> {
  const restoring = await findRestoring(image);
  if (restoring === null) return;
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${image} ${inPart(restoring)}; ${howOn(restoring, image)}`,
    {
      disk: image,
      reason: 'BUSY',
      details: { path: image, run: restoring.run, from: restoring.from },
    },
  );
}

/** In words. */
export function inPart({ disk, run, from }: Restoring): string {
  return `is being restored, or was left restored in part: to ${disk} of run ${run} of ${from}`;
}

/** What a person can do about it. */
export function howOn({ from, run, disk }: Restoring, image: string): string {
  return `the same restore goes on from there (\`qemu-cbt restore --from ${from} --pit ${run} --disk ${disk} --onto ${image}\`); where the image is wanted as it is, remove ${image}${END}`;
}

async function markOf(image: string): Promise<string> {
  return `${await onFile(image, 'looking', () => realPathAsText(image))}${END}`;
}

async function textOf(path: string): Promise<string | null> {
  try {
    await using file = await openRegularFile(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    if (isMissing(error) || error instanceof CbtError) return null;
    throw error;
  }
}
