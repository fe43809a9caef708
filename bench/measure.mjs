// Timing of functions and of whole processes; every figure is a median of several runs with its spread.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const execFileAsync = promisify(execFile);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

export function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: sorted[Math.floor(sorted.length / 2)],
    min: sorted[0],
    max: sorted.at(-1),
    runs: sorted.length,
  };
}

/**
 * Milliseconds of an async function; `warmup` runs are not counted. The result is handed to `consume` outside the clock, and
 * so is what the run before left behind collected: an answer of 24 MB makes V8 collect the ones before it, in about the
 * time that the answer itself takes.
 */
export async function timed(work, { runs = 9, warmup = 2, consume = () => {} } = {}) {
  const values = [];
  for (let i = -warmup; i < runs; i += 1) {
    collectGarbage();
    const started = performance.now();
    const result = await work();
    const took = performance.now() - started;
    consume(result);
    if (i >= 0) values.push(took);
  }
  return summary(values);
}

/** Wall milliseconds and peak resident MiB of a command whose output is read and thrown away. */
const WRAPPER = `
import json, os, resource, subprocess, sys, time
started = time.monotonic()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
count = 0
while True:
    chunk = os.read(child.stdout.fileno(), 1 << 20)
    if not chunk:
        break
    count += len(chunk)
code = child.wait()
took = time.monotonic() - started
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({"ms": took * 1000, "peakMiB": peak, "bytes": count, "code": code}))
`;

export async function timedCommand(command, { runs = 7, warmup = 1 } = {}) {
  const results = [];
  for (let i = -warmup; i < runs; i += 1) {
    const { stdout } = await execFileAsync('python3', ['-c', WRAPPER, ...command]);
    const result = JSON.parse(stdout);
    if (result.code !== 0) throw new Error(`${command.join(' ')} ended with ${result.code}`);
    if (i >= 0) results.push(result);
  }
  const pick = (key) => summary(results.map((result) => result[key]));
  return { ...pick('ms'), peakMiB: pick('peakMiB').max, bytes: results[0].bytes };
}

export async function run(command, args) {
  const { stdout } = await execFileAsync(command, args, { maxBuffer: 1 << 26 });
  return stdout;
}
