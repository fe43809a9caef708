/**
 * Starting the QEMU programs we run ourselves: no shell reads what they are told, and they end when we do, however we end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { endingWithUs } from './endingWithUs.js';

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
