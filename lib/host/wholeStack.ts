/** Whether an image is whole with all that it stands on: a backing image that was left in the middle of a restore shows through. */
import { CbtError, throwIfAborted } from '../core/errors.js';
import { imageFiles } from './imageName.js';
import { findRestoring, type InPart, requireWhole } from './restoringMark.js';

interface Known {
  format?: string | undefined;
  trust?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Throws for an image one of whose files is restored in part, or may be. */
export async function requireWholeStack(path: string, known: Known): Promise<void> {
  for (const file of await filesOf(path, known)) await requireWhole(file);
}

/** As {@link requireWholeStack}, told. */
export async function findRestoringInStack(path: string, known: Known): Promise<InPart[]> {
  const found: InPart[] = [];
  for (const file of await filesOf(path, known)) {
    const one = await findRestoring(file);
    if (one !== null) found.push(one);
  }
  return found;
}

/** A stack that cannot be walked is neither read nor given a point in time: whoever opens it hears why. */
async function filesOf(path: string, known: Known): Promise<readonly string[]> {
  try {
    return [path, ...(await imageFiles(path, known)).slice(1)];
  } catch (error) {
    throwIfAborted(known.signal);
    if (error instanceof CbtError) return [path];
    throw error;
  }
}
