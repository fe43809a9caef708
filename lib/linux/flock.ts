/**
 * flock(2) on an open file of ours, which Node has no call for: the addon takes it, and where there is none the program of
 * that name on the descriptor that it inherits. The lock belongs to the open file description, so it stays with us when the
 * program has ended, and with every process that we hand the descriptor to.
 */
import { spawn } from 'node:child_process';
import { CbtError } from '../core/errors.js';
import { findAddon } from '../kernel/load.js';
import { findProgram } from './program.js';
import { waitFor } from './waiting.js';

const FLOCK = {
  name: 'flock',
  variable: 'QEMU_CBT_FLOCK',
  packages: 'util-linux (Debian, Fedora) or busybox',
};
/** It never waits for a lock; a file server that does not answer is waited for so long. */
const PATIENCE_MS = 30_000;
const MAX_STDERR_CHARACTERS = 4096;

export type LockMode = 'exclusive' | 'shared';

/**
 * Takes the lock, or returns false because another open file has one that excludes it. Once this has been called (not
 * when its promise settles) whoever takes it has a descriptor of its own.
 */
export function flock(fd: number, mode: LockMode, path: string): Promise<boolean> {
  const addon = process.env[FLOCK.variable] ? null : findAddon();
  return addon?.lockFile === undefined
    ? byProgram(fd, mode, path)
    : byAddon(addon.lockFile(fd, mode === 'exclusive'), path);
}

/** Where it comes too late, the lock goes with the descriptors: the addon's, and that of whoever gives up. */
function byAddon(taking: Promise<boolean>, path: string): Promise<boolean> {
  return waitFor<boolean>(
    (resolve, reject) => {
      taking.then(resolve, (error: Error) => reject(refused(path, error.message)));
      return () => undefined;
    },
    { timeoutMs: PATIENCE_MS, onTimeout: () => refused(path, `no answer in ${PATIENCE_MS / 1000} s`) },
  );
}

function byProgram(fd: number, mode: LockMode, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(findProgram(FLOCK), ['-n', mode === 'exclusive' ? '-x' : '-s', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      // Of a process group of its own: a Ctrl-C is for us to handle.
      detached: true,
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, LC_ALL: 'C' },
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(0, MAX_STDERR_CHARACTERS);
    });
    child.once('error', (error) => reject(refused(path, error.message)));
    child.once('close', (code, signal) => {
      if (code === 0) resolve(true);
      // Somebody has it is the one failure about which it is silent.
      else if (code === 1 && said.trim() === '') resolve(false);
      else if (signal !== null) reject(refused(path, `flock was ended by ${signal}`));
      else reject(refused(path, said.trim() || `flock ended with ${code}`));
    });
  });
}

function refused(path: string, why: string): CbtError {
  return new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${path} cannot be locked: ${why}. Where its file system has no locks (a mount option may switch them on), use another one`,
    { details: { path } },
  );
}
