/** Processes that are made to be killed while they work on a backup folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type BuiltProgram, buildProgram } from '../../helpers/builtProgram.js';

/** What such a process runs. */
export function buildDoomed(): Promise<BuiltProgram> {
  return buildProgram(join(import.meta.dirname, 'doomed.mjs'));
}

/** A process that is ready to work, so that no round waits for one to start. */
export class Doomed {
  readonly #child: ChildProcess;
  readonly #ready: Promise<unknown>;
  readonly ended: Promise<unknown>;
  done = false;
  said = '';

  constructor({ path, env }: BuiltProgram, environment: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [path], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, ...environment },
    });
    this.ended = once(this.#child, 'close');
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said += text;
    });
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#ready = Promise.race([once(lines, 'line'), this.ended]);
    lines.on('line', (line) => {
      if (line === 'done') this.done = true;
    });
  }

  /** Sets it to work, and kills it after so long unless it killed itself; true when it came to its end. */
  async work(order: object, killAfterMs: number): Promise<boolean> {
    await this.#ready;
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), killAfterMs);
    await this.ended;
    clearTimeout(timer);
    // An error it could tell is a failure of its own: a crash before it must not keep it from working.
    if (this.said !== '') throw new Error(`a run after a kill failed: ${this.said}`);
    return this.done;
  }

  async dismiss(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
