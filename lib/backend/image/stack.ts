/**
 * The files of a disk from the top down: each in a known format, each named by the one above. How a format came to be
 * known decides whether a file's names are followed. What the caller said holds, and so does what the header of a file
 * whose format was said says of the next. Bytes alone are a guess, because the guest of a raw disk can write them: such a
 * file is read, and nothing that it names is opened.
 */
import type { BitmapKernel } from '../../core/bitmapKernel.js';
import { CbtError, throwIfAborted } from '../../core/errors.js';
import { resolveBackingFile } from './backing/backingName.js';
import { corrupt, faultError, unsupported } from './faults.js';
import { type ImageFormat, probeFormat, requireFormat } from './formatProbe.js';
import type { FileSnapshot } from './imageFile.js';
import type { OpenFiles } from './openFiles.js';
import { type Qcow2Head, readHead } from './qcow2/head.js';
import type { Watch } from './writerGuard.js';

/** Longest chain that is followed; far above what QEMU can open in practice. */
export const MAX_LAYERS = 200;

export interface StackReader {
  files: OpenFiles;
  kernel: BitmapKernel;
  /** Formats that bytes tell are believed like those that were said. */
  trust?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** A file to read. */
export interface Named {
  path: string;
  /** As somebody said it; null where only the bytes tell. */
  format: string | null;
}

export interface StackFile {
  path: string;
  snapshot: FileSnapshot;
  format: ImageFormat;
  /** Whether only the bytes tell the format. */
  guessed: boolean;
  /** Of a qcow2 file. */
  head: Qcow2Head | null;
}

/** Every file, the top first. It throws where a file cannot be read or its name may not be followed. */
export async function* walkStack(
  reader: Omit<StackReader, 'kernel'>,
  guard: Watch,
  top: Named,
): AsyncGenerator<StackFile, void, undefined> {
  const visited = new Map<string, string>();
  let next: Named | null = top;
  for (let depth = 0; next !== null; depth += 1) {
    throwIfAborted(reader.signal);
    if (depth >= MAX_LAYERS) {
      const fault = unsupported(LENGTH, 'more', `at most ${MAX_LAYERS} layers`);
      throw faultError(top.path, fault);
    }
    const file: StackFile = await readFile(reader, guard, visited, next);
    yield file;
    next = below(file);
  }
}

/** The argument that a guess wants: in the details of its refusal. */
const MISSING = 'format';

/** Refuses to open what a file names whose format is a guess. */
export function requireTold(file: StackFile, what: string): void {
  if (file.guessed)
    throw untold(file, `the guest of a raw disk can write them: what they name (${what}) is not opened`);
}

function untold({ path, format }: Pick<StackFile, 'path' | 'format'>, why: string): CbtError {
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

function below(file: StackFile): Named | null {
  const backing = file.head?.backing ?? null;
  if (backing === null) return null;
  requireTold(file, `backing file ${JSON.stringify(backing.name.toString())}`);
  return resolveBackingFile(file.path, backing.name, backing.format);
}

const LOOP = 'backing chain';
const LENGTH = 'length of the backing chain';

/** Whether the error is about the chain as a whole, and not about a file in it. */
export function concernsWholeChain(error: CbtError): boolean {
  return error.details['field'] === LOOP || error.details['field'] === LENGTH;
}

async function readFile(
  { files, trust = false, signal }: Omit<StackReader, 'kernel'>,
  guard: Watch,
  visited: Map<string, string>,
  { path, format }: Named,
): Promise<StackFile> {
  const file = await files.open(path);
  const before = visited.get(file.identity);
  if (before !== undefined) {
    throw faultError(path, corrupt(LOOP, `a loop: ${before} is its own backing file`, 'without one'));
  }
  visited.set(file.identity, path);
  const snapshot = await guard.add(file);
  const known = format === null ? await probeFormat(snapshot, signal) : requireFormat(path, format);
  const guessed = format === null && !trust;
  if (guessed && known !== 'raw' && /\.raw$/i.test(path))
    throw untold({ path, format: known }, 'its name says raw: it is not taken for one');
  const head = known === 'qcow2' ? await readHead(snapshot, guard, signal) : null;
  return { path, snapshot, format: known, guessed, head };
}
