// Fuzzes the parsers that are written in TypeScript: mutates saved inputs, keeps what reaches new code, and fails on the
// first input that ends in anything but an answer or a coded refusal.
//   node test/fuzz/run.mjs                       every target, 5 s each
//   node test/fuzz/run.mjs qcow2 --seconds 600   one of them, longer
//   node test/fuzz/run.mjs --runs 1000000       so many inputs instead
//   … --seed N   the same run again · --save   adds what reached new code to the saved inputs · --input FILE   one input

import { createHash, randomInt } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Coverage } from './coverage.mjs';
import { makeRandom, mutate } from './mutate.mjs';
import { targets } from './targets.mjs';

const BATCH = 25;
/** Asking what was reached costs as much as hundreds of inputs: rarely, once there is little new. */
const MOST_BATCH = 1600;
/** One input may not cost more of this process's time, whatever it claims to be. Other programs' time is not its. */
const SLOW_MS = 5000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    runs: { type: 'string' },
    seed: { type: 'string' },
    save: { type: 'boolean', default: false },
    input: { type: 'string' },
  },
});
const mostRuns = values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs);
const seconds = values.runs === undefined ? Number(values.seconds) : Number.POSITIVE_INFINITY;
const seed = values.seed === undefined ? randomInt(2 ** 32) : Number(values.seed);
const names = positionals.length === 0 ? Object.keys(targets) : positionals;
for (const name of names) {
  if (targets[name] === undefined)
    throw new Error(`no target ${name}; there are: ${Object.keys(targets).join(', ')}`);
}

const folder = mkdtempSync(join(tmpdir(), 'cbt-fuzz-'));
const coverage = new Coverage('/dist/');
let failed = false;
try {
  for (const name of names) failed = !(await fuzz(name)) || failed;
} finally {
  coverage.close();
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

async function fuzz(name) {
  const target = targets[name];
  const corpus = fileURLToPath(new URL(`corpus/${name}`, import.meta.url));
  target.prepare?.(folder, corpus);
  const saved = readdirSync(corpus)
    .sort()
    .map((file) => readFileSync(join(corpus, file)));
  const inputs = values.input === undefined ? [...saved] : [readFileSync(values.input)];
  for (const bytes of inputs) if (!(await tryInput(name, bytes))) return false;
  coverage.learn();
  if (values.input !== undefined) return true;

  const random = makeRandom(seed);
  const before = coverage.blocks;
  const until = performance.now() + seconds * 1000;
  let runs = 0;
  let size = BATCH;
  while (performance.now() < until && runs < mostRuns) {
    const batch = Array.from({ length: Math.min(size, mostRuns - runs) }, () =>
      mutate(random, inputs, target),
    );
    for (const bytes of batch) if (!(await tryInput(name, bytes))) return false;
    runs += batch.length;
    if (coverage.fresh().length === 0) {
      size = Math.min(2 * size, MOST_BATCH);
      continue;
    }
    size = BATCH;
    await learnFrom(name, batch, (bytes) => {
      inputs.push(bytes);
      if (values.save) save(corpus, bytes);
    });
  }
  const found = coverage.blocks - before;
  console.log(
    `${name}: ${saved.length} saved inputs, ${runs} more, ${found} new blocks, nothing found (seed ${seed})`,
  );
  return true;
}

/** Something in these inputs is new: finds which, in pieces. */
async function learnFrom(name, batch, keep) {
  for (let at = 0; at < batch.length; at += BATCH) {
    const piece = batch.slice(at, at + BATCH);
    if (batch.length > BATCH) {
      for (const bytes of piece) await tryInput(name, bytes);
      if (coverage.fresh().length === 0) continue;
    }
    for (const bytes of piece) {
      await tryInput(name, bytes);
      if (coverage.learn()) keep(bytes);
    }
  }
}

async function tryInput(name, bytes) {
  const before = process.cpuUsage();
  try {
    await targets[name].run(bytes, folder);
    const { user, system } = process.cpuUsage(before);
    const took = (user + system) / 1000;
    if (took > SLOW_MS) throw new Error(`took ${Math.round(took)} ms`);
    return true;
  } catch (error) {
    const file = join(tmpdir(), `cbt-fuzz-${name}-${nameOf(bytes)}`);
    writeFileSync(file, bytes);
    console.error(`${name}: FOUND, input kept in ${file} (seed ${seed})\n`, error);
    return false;
  }
}

function save(corpus, bytes) {
  if (bytes.length <= 1 << 16) writeFileSync(join(corpus, nameOf(bytes)), bytes);
}

function nameOf(bytes) {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}
