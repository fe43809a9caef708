/**
 * What may become of a call to the file system, for atEveryStep: over Node's `fs/promises`, which everything of ours goes through that
 * makes, changes or reads a file, and the calls with callbacks by which small files are read. What other programs do to files is theirs.
 */
import callbacks from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { Faults } from './atEveryStep.js';

export const FILE_FAULTS = ['ENOSPC', 'EIO', 'EACCES'] as const;
export type FileFault = (typeof FILE_FAULTS)[number];

const WORDS = { ENOSPC: 'no space left on device', EIO: 'i/o error', EACCES: 'permission denied' };
/** Which calls can fail so: of paths, and of open files. */
const CALLS: Record<FileFault, { paths: readonly string[]; files: readonly string[] }> = {
  ENOSPC: {
    paths: ['open', 'mkdir', 'mkdtemp', 'rename', 'link', 'writeFile', 'copyFile'],
    files: ['write', 'writev', 'writeFile', 'appendFile', 'sync', 'datasync', 'truncate'],
  },
  EIO: {
    paths: ['open', 'readFile', 'readdir', 'stat', 'lstat', 'rename', 'unlink', 'rm'],
    files: ['read', 'readFile', 'write', 'writev', 'writeFile', 'sync', 'datasync', 'truncate', 'stat'],
  },
  EACCES: {
    paths: [
      'open',
      'mkdir',
      'mkdtemp',
      'readdir',
      'rename',
      'link',
      'unlink',
      'rm',
      'rmdir',
      'chmod',
      'chown',
    ],
    files: ['chmod', 'chown'],
  },
};

type Calls = Record<string, (...args: unknown[]) => Promise<unknown>>;

/** The n-th call fails, before it has done anything. */
export async function fileFaults(code: FileFault): Promise<Faults> {
  await using some = await fs.open('/dev/null');
  const handles = Object.getPrototypeOf(some) as FileHandle;
  return (n) => {
    let calls = 0;
    let what: string | undefined;
    const ends: (() => void)[] = [];
    const wrap = (on: object, names: readonly string[]): void => {
      const real = on as Calls;
      for (const name of names) {
        const call = real[name]!;
        real[name] = async function (this: unknown, ...args) {
          if (counts(code, name, args)) calls += 1;
          else return call.apply(this, args);
          if (calls !== n) return call.apply(this, args);
          const failed = failure(code, name, args[0]);
          what = failed.message;
          throw failed;
        };
        ends.push(() => {
          real[name] = call;
        });
      }
    };
    const wrapCallback = (name: 'open' | 'read'): void => {
      const real = callbacks as unknown as Record<string, (...args: unknown[]) => void>;
      const call = real[name]!;
      real[name] = (...args) => {
        if (counts(code, name, args)) calls += 1;
        else return call(...args);
        const done = args.at(-1) as (error: Error) => void;
        if (calls === n) return setImmediate(done, failure(code, name, args[0]));
        return call(...args);
      };
      ends.push(() => {
        real[name] = call;
      });
    };
    if (CALLS[code].paths.includes('open')) wrapCallback('open');
    if (CALLS[code].files.includes('read')) wrapCallback('read');
    wrap(fs, CALLS[code].paths);
    wrap(handles, CALLS[code].files);
    syncBuiltinESMExports();
    return {
      what: () => what,
      end: () => {
        for (const end of ends) end();
        syncBuiltinESMExports();
        return calls;
      },
    };
  };
}

/** Not the kernel's own files, which have no disk; and only what is made anew needs space. */
function counts(code: FileFault, name: string, [path, flags]: unknown[]): boolean {
  if (typeof path === 'string' && /^\/(proc(?!\/self\/fd\/)|sys|dev(?!\/shm\/))\//.test(path)) return false;
  if (code !== 'ENOSPC' || name !== 'open') return true;
  return typeof flags === 'string' ? /[wa]/.test(flags) : (Number(flags) & fs.constants.O_CREAT) !== 0;
}

function failure(code: FileFault, syscall: string, path: unknown): Error {
  const where = typeof path === 'string' ? ` '${path}'` : '';
  const more = typeof path === 'string' ? { path } : {};
  return Object.assign(new Error(`${code}: ${WORDS[code]}, ${syscall}${where} (by the test)`), {
    code,
    syscall,
    ...more,
  });
}
