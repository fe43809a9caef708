/** A client program that takes one step for each line it is told, and answers each with a line of JSON. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

export class Stepper {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #complaints = '';

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env } });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#complaints += text.toString();
    });
    onTestFinished(() => void this.#child.kill('SIGKILL'));
  }

  /** The next line that it says. */
  async next<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the client ended: ${this.#complaints}`);
    return JSON.parse(value) as T;
  }

  /** Tells it a step, and waits for what came of it. */
  step<T>(line: string): Promise<T> {
    this.#child.stdin.write(`${line}\n`);
    return this.next<T>();
  }

  /** Ends it at once, in whatever it is doing. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
