// All tests. The checks that say most soonest come first; then what takes long, side by side, since much of it waits for
// programs that it started. Prints each stage whole when it has ended; last, what failed by name and the true total.
//   npm test                 everything
//   npm test -- unit …       only the stages named
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Stage, sideBySide } from './side-by-side.mjs';
import { lastLines, readCtest, readVitest } from './test-reports.mjs';

/** One that takes each kind of fault at least once. `npm run torture` draws others. */
const TORTURE_SEED = process.env.TORTURE_SEED ?? '4';
/** For each fuzzer and each parser; `npm run torture` counts inputs, a million of each. */
const FUZZ_SECONDS = process.env.FUZZ_SECONDS ?? '3';
/** Where random tests begin. Without it each run of a test begins elsewhere, as those of `npm run torture` do. */
process.env.SEED ??= '1';
const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-test-'));
const cpus = availableParallelism();
const jobs = String(cpus);
/** Stages at once. */
const AT_ONCE = 3;

/**
 * What speaks to QEMU in a way that depends on its version: sessions in both modes, jobs, exports, node graphs, schemas, migration.
 * Not again with a newer one: our own process killed, or called off, at each command, and the guard of one that was killed. These are the
 * same commands, and what is left behind is tidied by the same steps, which `leftovers`, `faults` and `secondMaker` take. Nor what is ours
 * alone: records, locks, folders, and images at rest.
 */
const BY_VERSION = /^(live|session|graph|qmp)\/|^guest\/agent|^storageDaemon/;
const NOT_AGAIN = [
  ...['killedSession', 'beginFails', 'guard'],
  ...['recorded', 'unreadRecord', 'lostFolder', 'oneUuid', 'places', 'replacedImage', 'exchangedImages'],
].map((name) => `${name}.integ.test.ts`);
/** By name: what vitest is told to exclude it does not heed in its projects. */
const againWithNewer = () => {
  const folder = 'test/integration/backend/qemu';
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.test.ts') && BY_VERSION.test(name),
  );
  const unknown = NOT_AGAIN.filter((name) => !tests.some((test) => basename(test) === name));
  if (unknown.length > 0) throw new Error(`no such tests: ${unknown.join(', ')}`);
  return tests.filter((name) => !NOT_AGAIN.includes(basename(name))).map((name) => join(folder, name));
};
/** Of the faults at every command it takes so many times fewer, each at a command that the other QEMU's did not take. */
const STEPS_APART = '4';

/** Quick, and what most mistakes show up in. */
const first = {
  lint: (stage) => check(stage, 'npm', ['run', '--silent', 'lint']),
  types: (stage) => check(stage, 'npm', ['run', '--silent', 'typecheck']),
  coverage: (stage) => check(stage, 'node', ['scripts/make-coverage.mjs', '--check']),
  manual: (stage) => check(stage, 'node', ['scripts/make-man.mjs', '--check']),
  architecture: (stage) => check(stage, 'node', ['scripts/make-architecture.mjs', '--check']),
  hostFile: (stage) => check(stage, 'node', ['scripts/make-schemas.mjs', '--check']),
  // Fails for a public export without a docstring, and where docs/api-report.txt is not what is exported.
  docs: (stage) => check(stage, 'npm', ['run', '--silent', 'docs', '--', '--emit', 'none']),
};

/** In the order in which they begin: the longest ones first. */
const then = {
  integration: (stage) => vitest(stage, ['--maxWorkers', String(cpus + 1), 'test/integration']),
  unit: (stage) =>
    vitest(stage, ['test/unit', 'test/types', 'test/property', 'test/contract', 'test/conformance']),
  // What depends on QEMU itself, once more with a newer one.
  newer: (stage) =>
    vitest(stage, againWithNewer(), {
      wrapper: ['node', 'scripts/newer-qemu.mjs'],
      env: { STEPS_APART },
    }),
  // Some of what `npm run torture` does, by one seed: what fails here fails again.
  torture: (stage) => vitest(stage, ['--config', 'test/torture/vitest.config.ts'], { env: { TORTURE_SEED } }),
  // In the folder of the addons: the tests are of the very code that they are made of.
  native: (stage) => ctest(stage, 'build', ['-DQEMU_CBT_TESTS=ON']),
  sanitizers: (stage) => sanitizers(stage),
  fuzz: (stage) => check(stage, 'bash', ['scripts/fuzz.sh', FUZZ_SECONDS]),
  parsers: (stage) => check(stage, 'node', ['test/fuzz/run.mjs', '--seconds', FUZZ_SECONDS]),
  install: (stage) => check(stage, 'node', ['scripts/check-install.mjs']),
  gyp: (stage) => check(stage, 'node', ['scripts/check-addons.mjs']),
  package: (stage) => check(stage, 'node', ['scripts/check-package.mjs']),
};
/** The fuzzers are in the folder of the sanitizers' tests. */
const AFTER = { fuzz: ['sanitizers'] };

const failure = (where, printed) => ({
  passed: 0,
  skipped: [],
  failures: [{ where, message: lastLines(printed) }],
});

/** A check that either holds or does not: one test. */
async function check(stage, command, args) {
  const { ok, printed } = await stage.run(command, args);
  return ok ? { passed: 1, skipped: [], failures: [] } : failure([command, ...args].join(' '), printed);
}

async function sanitizers(stage) {
  const { ok, printed } = await stage.run('bash', ['scripts/fuzz.sh', '--configure'], { quiet: true });
  return ok ? ctest(stage, 'build-sanitized', []) : failure('scripts/fuzz.sh --configure', printed);
}

async function ctest(stage, folder, options) {
  const steps = [
    ['-S', '.', '-B', folder, ...options],
    ['--build', folder, '-j', jobs, '--target', 'native_tests'],
  ];
  for (const step of steps) {
    const { ok, printed } = await stage.run('cmake', step, { quiet: true });
    if (!ok) return failure(`cmake ${step.join(' ')}`, printed);
  }
  const report = join(work, `${stage.name}.xml`);
  const asked = ['--output-on-failure', '--no-tests=error', '--output-junit', report];
  const { ok, printed } = await stage.run('ctest', ['--test-dir', folder, '-j', jobs, ...asked]);
  const outcome = existsSync(report) ? readCtest(readFileSync(report, 'utf8')) : null;
  const unexplained = outcome === null || (!ok && outcome.failures.length === 0);
  return unexplained ? failure(`ctest ${folder}`, printed) : outcome;
}

/** `wrapper`: a command that runs another one. */
async function vitest(stage, folders, { wrapper = [], env = {} } = {}) {
  const report = join(work, `${stage.name}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const [command, ...args] = [...wrapper, 'node', 'node_modules/vitest/vitest.mjs', 'run', ...reporters];
  const { ok, printed } = await stage.run(command, [...args, '--passWithNoTests=false', ...folders], { env });
  if (!existsSync(report)) return failure('vitest itself', printed);
  return readVitest(readFileSync(report, 'utf8'), { succeeded: ok, printed, root: process.cwd() });
}

const all = { ...first, ...then };
const asked = process.argv.slice(2);
for (const name of asked) {
  if (all[name] === undefined) {
    console.error(`no stage ${name}; there are: ${Object.keys(all).join(', ')}`);
    process.exit(2);
  }
}
const isWanted = (name) => asked.length === 0 || asked.includes(name);
const total = { passed: 0, failures: [], skipped: [] };
const running = new Set();

function job(name) {
  const run = async () => {
    const alone = asked.length === 1;
    const stage = new Stage(name, (text) => alone && process.stdout.write(text));
    running.add(stage);
    let outcome;
    try {
      outcome = await all[name](stage);
    } catch (error) {
      outcome = failure('the stage itself', String(error.stack));
    }
    running.delete(stage);
    total.passed += outcome.passed;
    total.failures.push(...outcome.failures.map((one) => ({ stage: name, ...one })));
    total.skipped.push(...outcome.skipped.map((where) => ({ stage: name, where, message: 'skipped' })));
    const verdict = outcome.failures.length === 0 ? 'ok' : 'FAILED';
    const cost = `${stage.seconds.toFixed(1)} s, of which programs computed ${stage.cpuSeconds.toFixed(1)} s`;
    console.log(`${alone ? '' : `\n--- ${name}\n${stage.printed}`}--- ${name}: ${verdict} in ${cost}`);
  };
  return { name, after: AFTER[name], run };
}

/** Ended from outside, by a limit of time it may be: what was going on is what one wants to know. */
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    for (const stage of running) {
      console.log(
        `\n--- ${stage.name}: ${signal} after ${stage.seconds.toFixed(0)} s\n${lastLines(stage.printed)}`,
      );
      stage.stop();
    }
    rmSync(work, { recursive: true, force: true });
    process.exit(1);
  });

try {
  for (const [stages, atOnce] of [
    [first, 2],
    [then, AT_ONCE],
  ])
    await sideBySide(Object.keys(stages).filter(isWanted).map(job), atOnce);
} finally {
  rmSync(work, { recursive: true, force: true });
}
// In CI nothing may be left out: a skipped test is a failure.
const failed = [...total.failures, ...(process.env.CI ? total.skipped : [])];
process.exitCode = failed.length === 0 && total.passed > 0 ? 0 : 1;
if (failed.length > 0) console.log('\nFailed:');
for (const { stage, where, message } of failed)
  console.log(`  ${stage}: ${where}\n${message.replace(/^/gm, '    ')}`);
const left = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : '';
console.log(`${total.passed} passed, ${total.failures.length} failed${left}`);
