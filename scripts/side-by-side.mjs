// Programs whose output is kept, and stages of them side by side. What stages print never mixes: each one's is shown whole
// when it has ended, or as it comes where only one runs at all.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** @typedef {{ ok: boolean, printed: string }} Ended */

/** The kernel's clock ticks in a second, as every Linux shows them in /proc. */
const TICKS = 100;
let counted = 0;

/** What the programs that ended since the last call computed, with all that they had started and waited for: seconds. */
function secondsOfEnded() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ');
  const all = (Number(fields[13]) + Number(fields[14])) / TICKS;
  const since = all - counted;
  counted = all;
  return since;
}

export class Stage {
  printed = '';
  cpuSeconds = 0;
  #started = Date.now();
  #child = null;
  #show;

  /** `show`: gets what is printed as it comes. */
  constructor(name, show) {
    this.name = name;
    this.#show = show;
  }

  get seconds() {
    return (Date.now() - this.#started) / 1000;
  }

  say(text) {
    this.printed += text;
    this.#show(text);
  }

  /**
   * `quiet`: what it prints is only in the answer, where a failure is explained from it.
   * @returns {Promise<Ended>}
   */
  run(command, args, { env = {}, quiet = false } = {}) {
    return new Promise((resolve) => {
      const child = spawn(command, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      this.#child = child;
      let printed = '';
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text) => {
          printed += text;
          if (!quiet) this.say(text);
        });
      child.on('error', (error) => resolve({ ok: false, printed: error.message }));
      child.on('exit', () => {
        this.cpuSeconds += secondsOfEnded();
      });
      child.on('close', (status) => resolve({ ok: status === 0, printed }));
    });
  }

  /** Ends what runs. */
  stop() {
    this.#child?.kill('SIGTERM');
  }
}

/**
 * Runs jobs, so many at once, in their order; none before those that it names in `after` have ended.
 * @param {readonly { name: string, after?: readonly string[], run: () => Promise<void> }[]} jobs
 */
export async function sideBySide(jobs, atOnce) {
  const waiting = [...jobs];
  const running = new Map();
  const open = (name) => running.has(name) || waiting.some((job) => job.name === name);
  while (waiting.length + running.size > 0) {
    for (const job of [...waiting]) {
      if (running.size >= atOnce || (job.after ?? []).some(open)) continue;
      waiting.splice(waiting.indexOf(job), 1);
      running.set(
        job.name,
        job.run().finally(() => running.delete(job.name)),
      );
    }
    await Promise.race(running.values());
  }
}
