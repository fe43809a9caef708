/**
 * The way down a stack of files, each in a known format, each named by the one above or listed by a descriptor. How a
 * format came to be known decides whether a file's names are followed. What the caller said holds, and so does what the
 * header of a file whose format was said says of the next. Bytes alone are a guess, because the guest of a raw disk can
 * write them: such a file is read, and nothing that it names is opened.
 */
import { throwIfAborted } from '../../core/errors.js';
import { resolveBackingFile } from './backing/backingName.js';
import { corrupt, faultError, unsupported } from './faults.js';
import { type ImageFormat, probeFormat, requireFormat } from './formatProbe.js';
import type { FileSnapshot } from './imageFile.js';
import { type Qcow2Head, readHead } from './qcow2/head.js';
import { LENGTH, LOOP, MAX_LAYERS, type StackReader, untold } from './stack.js';
import type { Watch } from './writerGuard.js';

/** A file to read. */
export interface Named {
  path: string;
  /** Null where only the bytes tell. */
  format: string | null;
  /** Whether somebody had only the bytes to tell the format from. */
  guessed?: boolean;
}

/** What names a file. */
export interface Step {
  /** As it is named. */
  label: string;
  /** As it is said, null where it is not: known also of a file that cannot be opened. */
  format: string | null;
  /** Path of the file whose header names it; null where the caller or a descriptor does. */
  by: string | null;
  /** Where the name leads. Throws where it may not be followed. */
  find(): Named;
}

export type StackFile = {
  path: string;
  snapshot: FileSnapshot;
  /** Whether only the bytes tell the format. */
  guessed: boolean;
} & ({ format: 'qcow2'; head: Qcow2Head } | { format: Exclude<ImageFormat, 'qcow2'>; head: null });

/** One way down; no file is met twice on it. */
export class StackWalk {
  /** Paths by the file's identity, the first met first. */
  readonly #visited = new Map<string, string>();

  constructor(
    private readonly reader: Omit<StackReader, 'kernel'>,
    private readonly guard: Watch,
  ) {}

  /** Opens the file, has it watched, and reads what tells its format and what is below it. */
  async open({ path, format, guessed: wasGuessed = false }: Named): Promise<StackFile> {
    const { files, trust = false, signal } = this.reader;
    throwIfAborted(signal);
    if (this.#visited.size >= MAX_LAYERS) {
      const [top = path] = this.#visited.values();
      throw faultError(top, unsupported(LENGTH, 'more', `at most ${MAX_LAYERS} layers`));
    }
    const file = await files.open(path);
    const before = this.#visited.get(file.identity);
    if (before !== undefined)
      throw faultError(path, corrupt(LOOP, `a loop: ${before} is its own backing file`, 'without one'));
    this.#visited.set(file.identity, path);
    const snapshot = await this.guard.add(file);
    const known = format === null ? await probeFormat(snapshot, signal) : requireFormat(path, format);
    const guessed = wasGuessed || (format === null && !trust);
    if (guessed && known !== 'raw' && /\.raw$/i.test(path))
      throw untold(path, known, 'its name says raw: it is not taken for one');
    const met = { path, snapshot, guessed };
    if (known !== 'qcow2') return { ...met, format: known, head: null };
    return { ...met, format: known, head: await readHead(snapshot, this.guard, signal) };
  }
}

/** A file that was given or listed. */
export function stepTo(named: Named): Step {
  return { label: named.path, format: named.format, by: null, find: () => named };
}

/** What the file names below itself. */
export function below(file: StackFile): Step | null {
  const backing = file.head?.backing ?? null;
  if (backing === null) return null;
  const label = backing.name.toString();
  return {
    label,
    // A pseudo name has a format of its own inside.
    format: label.startsWith('json:') ? null : (backing.format ?? null),
    by: file.path,
    find: () => {
      requireTold(file, `backing file ${JSON.stringify(label)}`);
      return resolveBackingFile(file.path, backing.name, backing.format);
    },
  };
}

/** Refuses to open what a file names whose format is a guess. */
export function requireTold({ path, format, guessed }: StackFile, what: string): void {
  if (guessed)
    throw untold(
      path,
      format,
      `the guest of a raw disk can write them: what they name (${what}) is not opened`,
    );
}
