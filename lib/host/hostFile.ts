/**
 * The host file: which VMs and places this machine has (docs/host.example.yaml). Read whole, checked by one schema, and refused
 * with every place that is wrong; nothing of a file with an error is used.
 */
import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CbtError } from '../core/errors.js';
import { isMissing, onFile } from '../linux/fileFault.js';
import { kindOf } from '../linux/regularFile.js';
import { type HostDescription, hostSchema } from './hostSchema.js';
import { readYaml, type TextProblem, type ValuePath } from './yamlText.js';

export const DEFAULT_HOST_FILE = '/etc/qemu-cbt/host.yaml';
/** Variable that names another one. */
export const HOST_VARIABLE = 'QEMU_CBT_HOST';

const MOST_BYTES = 1 << 20;
/** Problems that the message has in words. */
const MOST_TOLD = 8;
const MOST_SHOWN = 80;

/** One thing that is wrong with a file. */
export type HostFileProblem = TextProblem;

/** A file that was refused, with all that is wrong in it. */
export class HostFileError extends CbtError {
  constructor(
    readonly file: string,
    readonly problems: readonly HostFileProblem[],
  ) {
    const [first = { line: 1, column: 1, message: 'it is not understood' }] = problems;
    const told = problems
      .slice(0, MOST_TOLD)
      .map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
    const more = problems.length > MOST_TOLD ? [`and ${problems.length - MOST_TOLD} more`] : [];
    super('ERR_CBT_INVALID_ARGUMENT', [...told, ...more].join('\n'), {
      details: { path: file, line: first.line, column: first.column, problems: problems.length },
    });
  }
}

/** A host file and what it says. */
export interface HostFile {
  /** Absolute path. */
  path: string;
  /** What it says, checked. */
  says: HostDescription;
}

/**
 * Which host file is meant: the one given, else the variable's, else that of the machine. Null where nobody named one and the
 * machine has none.
 */
export async function findHostFile(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<HostFile | null> {
  const named = given ?? (env[HOST_VARIABLE] || undefined);
  if (named !== undefined) return readHostFile(named);
  try {
    await stat(DEFAULT_HOST_FILE);
  } catch (error) {
    if (isMissing(error)) return null;
  }
  return readHostFile(DEFAULT_HOST_FILE);
}

/** Reads and checks a host file. {@link HostFileError} where it is wrong; `ERR_CBT_BACKEND_UNAVAILABLE` where it cannot be read. */
export async function readHostFile(path: string): Promise<HostFile> {
  const file = resolve(path);
  return { path: file, says: parseHostFile(file, await readText(file)) };
}

/** The same of a text; `file` is what errors call it. */
export function parseHostFile(file: string, text: string): HostDescription {
  const read = readYaml(text);
  if ('problems' in read) throw new HostFileError(file, read.problems);
  const checked = hostSchema.safeParse(read.value ?? {});
  if (checked.success) return checked.data;
  const problems = checked.error.issues.flatMap((issue): HostFileProblem[] => {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        ...read.placeOfKey(path, key),
        message: `${nameOf([...path, key])} is not known, expected one of: ${issue.message}`,
      }));
    if (issue.code === 'invalid_key')
      return [
        {
          ...read.placeOfKey(path.slice(0, -1), String(path.at(-1))),
          message: `${nameOf(path)} is a key, expected ${issue.issues[0]?.message}`,
        },
      ];
    const shown = show(valueAt(read.value, path));
    return [{ ...read.placeOf(path), message: `${nameOf(path)} is ${shown}, expected ${issue.message}` }];
  });
  throw new HostFileError(file, problems);
}

async function readText(file: string): Promise<string> {
  return onFile(file, 'reading', async () => {
    // Opening a device can have effects, and a FIFO would wait for its other end.
    requireRegular(file, await stat(file));
    await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const info = await handle.stat();
    requireRegular(file, info);
    const bytes = Buffer.alloc(MOST_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read)
      ({ bytesRead: read } = await handle.read(bytes, length, bytes.length - length));
    if (length > MOST_BYTES) throw refused(file, `it has more than ${MOST_BYTES} bytes, which are the most`);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes.subarray(0, length));
    } catch {
      throw refused(file, 'it is no UTF-8');
    }
  });
}

function requireRegular(file: string, info: Stats): void {
  if (!info.isFile()) throw refused(file, `it is ${kindOf(info)}, expected a regular file`);
}

function refused(file: string, message: string): HostFileError {
  return new HostFileError(file, [{ line: 1, column: 1, message }]);
}

/** `vms[0].qmp` */
function nameOf(path: ValuePath): string {
  const name = path
    .map((step) =>
      typeof step === 'number' ? `[${step}]` : /^[A-Za-z_]\w*$/.test(step) ? `.${step}` : `[${show(step)}]`,
    )
    .join('')
    .replace(/^\./, '');
  return name === '' ? 'the file' : name;
}

function valueAt(value: unknown, path: ValuePath): unknown {
  return path.reduce<unknown>(
    (at, step) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, step) ? Reflect.get(at, step) : undefined,
    value,
  );
}

/** The value as the file's reader knows it. */
function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;
}
