/**
 * A stack: the files of a disk, one on the other, as layers, the top first. A file that cannot be read stands in it all
 * the same, so that the layers above answer what surely does not go on in it; what concerns the stack as a whole is refused at once.
 */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import { CbtError } from '../../core/errors.js';
import type { ImageLayer } from './layer.js';
import type { OpenFiles } from './openFiles.js';
import type { WriterGuard } from './writerGuard.js';

/** Largest stack that is read; far above what QEMU can open in practice. */
export const MAX_LAYERS = 200;

/** What a reading of a stack works with. */
export interface StackReader {
  files: OpenFiles;
  kernel: BitmapKernel;
  /** Formats that bytes tell are believed like those that were said. */
  trust?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface ImageStack {
  /** Top layer first. */
  layers: readonly [ImageLayer, ...ImageLayer[]];
  /** Watches every file of the stack since before it was read. */
  guard: WriterGuard;
}

/** Fields of faults of the stack as a whole; QEMU's word for it. */
export const LOOP = 'backing chain';
export const LENGTH = 'length of the backing chain';

/** The argument that a guess wants: in the details of its refusal. */
const MISSING = 'format';

/** Refusal of a file whose format only its bytes tell. */
export function untold(path: string, format: string, why: string): CbtError {
  const expected = 'said (--format) or trusted (--trust)';
  return new CbtError(
    'ERR_CBT_INVALID_ARGUMENT',
    `only its bytes say that ${path} is ${format}, and ${why} unless the format is ${expected}`,
    { details: { argument: MISSING, received: format, expected } },
  );
}

/** Whether the error is the refusal of a guess. */
export function isNotFollowed(error: CbtError): boolean {
  return error.code === 'ERR_CBT_INVALID_ARGUMENT' && error.details['argument'] === MISSING;
}

/** Loops, writers and our own faults concern the disk as a whole. */
export function concernsOneLayer(error: CbtError): boolean {
  const { field } = error.details;
  if (error.reason === 'BUSY' || field === LOOP || field === LENGTH) return false;
  return (
    error.code === 'ERR_CBT_CORRUPT_IMAGE' ||
    error.code === 'ERR_CBT_UNSUPPORTED' ||
    error.code === 'ERR_CBT_BACKEND_UNAVAILABLE' ||
    error.code === 'ERR_CBT_INVALID_ARGUMENT'
  );
}
