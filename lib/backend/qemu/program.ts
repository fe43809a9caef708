/**
 * Finding and starting the QEMU programs we run ourselves: no shell reads what they are told, and they end when we do, however we
 * end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { CbtError } from '../../core/errors.js';
import { endingWithUs } from '../nbd/endingWithUs.js';

export interface Program {
  /** Name looked up in PATH. */
  name: string;
  /** Environment variable that names another build. */
  variable: string;
  /** Where distributions put it. */
  packages: string;
}

/** Absolute path of the program. Throws ERR_CBT_UNSUPPORTED naming the package that has it. */
export function findProgram(program: Program): string {
  const chosen = process.env[program.variable];
  const found = chosen === undefined || chosen === '' ? lookUp(program.name) : lookUp(chosen);
  if (found !== null) return found;
  const where = chosen === undefined || chosen === '' ? 'in PATH' : `at ${chosen} (${program.variable})`;
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `${program.name} was not found ${where}; install ${program.packages}, or name the program in ${program.variable}`,
    { details: { program: program.name } },
  );
}

function lookUp(name: string): string | null {
  if (name.includes('/')) return isExecutable(path.resolve(name)) ? path.resolve(name) : null;
  const folders = (process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/'));
  return folders.map((folder) => path.join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** Kept of what a program says on stderr: the last 64 KiB. */
const MAX_STDERR_CHARACTERS = 64 * 1024;

export class RunningProgram {
  readonly exit: Promise<Exit>;
  private said = '';

  private constructor(readonly child: ChildProcess) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-MAX_STDERR_CHARACTERS);
    });
    this.exit = new Promise((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal }));
      child.once('error', (error) => {
        this.said += error.message;
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
  }

  /**
   * Starts the program with a socket as its descriptor 3. Where setpriv (util-linux) is there, the kernel sends SIGTERM
   * when our thread dies, so that a kill -9 of ours leaves no program that holds an image locked; and it gets a session
   * of its own, so that a Ctrl-C meant for us does not end it in the middle of our work.
   */
  static start(file: string, args: readonly string[]): RunningProgram {
    const command = endingWithUs([file, ...args], 'ask');
    const [program = file, ...all] = command;
    const child = spawn(program, all, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      detached: program !== file,
    });
    return new RunningProgram(child);
  }

  /** The end of stderr. */
  get stderr(): string {
    return this.said;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}
