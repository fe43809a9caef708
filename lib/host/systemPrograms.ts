/** The programs of QEMU that are run here, and what they say of themselves. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CbtError } from '../core/errors.js';
import { findProgram, type Program } from '../linux/program.js';
import type { PackageNames } from './systemFix.js';

const run = promisify(execFile);

/** Older ones lose bitmaps, or do not know the commands that sessions need (docs/concepts.md). */
const LEAST_QEMU = [7, 2] as const;
/** A program that does not say its version in this time does not work. */
const VERSION_MS = 20_000;

/** A program of QEMU, what it is for, and the packages that have it. */
interface QemuProgram extends Omit<Program, 'packages'> {
  packages: PackageNames;
  serves: string;
}

const QEMU_IMG = { debian: 'qemu-utils', fedora: 'qemu-img' };
const PROGRAMS: readonly QemuProgram[] = [
  { name: 'qemu-img', variable: 'QEMU_IMG', packages: QEMU_IMG, serves: 'restores to new files, prunes' },
  { name: 'qemu-nbd', variable: 'QEMU_NBD', packages: QEMU_IMG, serves: 'reading and writing images' },
  {
    name: 'qemu-storage-daemon',
    variable: 'QEMU_STORAGE_DAEMON',
    packages: { debian: 'qemu-system-common', fedora: 'qemu-img' },
    serves: 'points in time of images that no VM uses',
  },
];

/** A program as it was found. */
export interface FoundProgram {
  program: QemuProgram;
  /** Null where it is not there. */
  path: string | null;
  version: string | null;
  /** Why it is of no use. */
  error: CbtError | null;
}

/** Each program, by asking it. */
export function lookAtPrograms(signal?: AbortSignal): Promise<FoundProgram[]> {
  return Promise.all(PROGRAMS.map((program) => lookAtProgram(program, signal)));
}

async function lookAtProgram(program: QemuProgram, signal: AbortSignal | undefined): Promise<FoundProgram> {
  let path: string;
  try {
    path = findProgram({
      ...program,
      packages: `${program.packages.debian} (Debian) or ${program.packages.fedora} (Fedora)`,
    });
  } catch (error) {
    if (!(error instanceof CbtError)) throw error;
    return { program, path: null, version: null, error };
  }
  const unusable = (what: string): FoundProgram => ({
    program,
    path,
    version: null,
    error: new CbtError('ERR_CBT_UNSUPPORTED', `${path} ${what}`, { details: { program: program.name } }),
  });
  try {
    const { stdout } = await run(path, ['--version'], { timeout: VERSION_MS, ...(signal && { signal }) });
    const found = /\b(\d+)\.(\d+)(\.\d+)?/.exec(stdout);
    if (found === null) return unusable('does not say its version');
    const [version] = found;
    const numbers = [Number(found[1]), Number(found[2])] as const;
    if (!isEnough(numbers))
      return {
        ...unusable(`is version ${version}, and at least ${LEAST_QEMU.join('.')} is needed`),
        version,
      };
    return { program, path, version, error: null };
  } catch (error) {
    if (signal?.aborted) throw error;
    const { message } = error as Error;
    return unusable(`does not run: ${message.split('\n')[0]}`);
  }
}

function isEnough([major, minor]: readonly [number, number]): boolean {
  return major > LEAST_QEMU[0] || (major === LEAST_QEMU[0] && minor >= LEAST_QEMU[1]);
}
