// All tests, in the order in which failures are cheapest to learn. Prints one line a stage; last, what
// failed by name and the true total.
//   npm test                 everything
//   npm test -- unit …       only the stages named
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastLines, readCtest, readVitest } from './test-reports.mjs';

/** One that takes each kind of fault at least once. `npm run torture` draws others. */
const TORTURE_SEED = process.env.TORTURE_SEED ?? '4';
const FUZZ_SECONDS = process.env.FUZZ_SECONDS ?? '5';
const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-test-'));
const jobs = String(cpus().length);
let runs = 0;
const total = { passed: 0, failures: [], skipped: [] };

const LIVE = [
  ...['live', 'session', 'graph', 'qmp', 'guest/agent', 'storageDaemon'].map(
    (name) => `backend/qemu/${name}`,
  ),
  'cli',
].map((name) => `test/integration/${name}`);

const stages = {
  lint: () => check('npm', ['run', '--silent', 'lint']),
  types: () => check('npm', ['run', '--silent', 'typecheck']),
  coverage: () => check('node', ['scripts/make-coverage.mjs', '--check']),
  manual: () => check('node', ['scripts/make-man.mjs', '--check']),
  architecture: () => check('node', ['scripts/make-architecture.mjs', '--check']),
  // Fails for a public export without a docstring.
  docs: () => check('npm', ['run', '--silent', 'docs', '--', '--emit', 'none']),
  native: () => ctest('build-test', ['-DQEMU_CBT_TESTS=ON']),
  sanitizers: () => ctest('build-asan', ['-DQEMU_CBT_TESTS=ON', '-DQEMU_CBT_SANITIZE=address,undefined']),
  fuzz: () => check('bash', ['scripts/fuzz.sh', FUZZ_SECONDS]),
  parsers: () => check('node', ['test/fuzz/run.mjs', '--seconds', FUZZ_SECONDS]),
  gyp: () => check('node', ['scripts/check-addons.mjs']),
  package: () => check('node', ['scripts/check-package.mjs']),
  install: () => check('node', ['scripts/check-install.mjs']),
  unit: () => vitest(['test/unit', 'test/types', 'test/property', 'test/contract', 'test/conformance']),
  integration: () => vitest(['test/integration', 'test/examples']),
  // Some of what `npm run torture` does, by one seed: what fails here fails again.
  torture: () => vitest(['--config', 'test/torture/vitest.config.ts'], { env: { TORTURE_SEED } }),
  // What depends on QEMU itself, once more with a newer one.
  newer: () => vitest(LIVE, { wrapper: ['node', 'scripts/newer-qemu.mjs'] }),
};

/** What a stage's programs print is seen as it comes, and kept: the end of it says why a check failed. */
function run(command, args, { env = {}, quiet = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let printed = '';
    const take = (target) => (bytes) => {
      printed += bytes;
      target?.write(bytes);
    };
    child.stdout.on('data', take(quiet ? null : process.stdout));
    child.stderr.on('data', take(process.stderr));
    child.on('error', (error) => resolve({ ok: false, printed: error.message }));
    child.on('close', (status) => resolve({ ok: status === 0, printed }));
  });
}

const failure = (where, printed) => ({
  passed: 0,
  skipped: [],
  failures: [{ where, message: lastLines(printed) }],
});

/** A check that either holds or does not: one test. */
async function check(command, args) {
  const { ok, printed } = await run(command, args);
  return ok ? { passed: 1, skipped: [], failures: [] } : failure([command, ...args].join(' '), printed);
}

async function ctest(folder, options) {
  const steps = [
    ['-S', '.', '-B', folder, '-DCMAKE_BUILD_TYPE=RelWithDebInfo', ...options],
    ['--build', folder, '-j', jobs],
  ];
  for (const step of steps) {
    const { ok, printed } = await run('cmake', step, { quiet: true });
    if (!ok) return failure(`cmake ${step[0]} ${step[1]}`, printed);
  }
  const report = join(work, `${folder}.xml`);
  const asked = ['--output-on-failure', '--no-tests=error', '--output-junit', report];
  const { ok, printed } = await run('ctest', ['--test-dir', folder, ...asked]);
  const outcome = existsSync(report) ? readCtest(readFileSync(report, 'utf8')) : null;
  const unexplained = outcome === null || (!ok && outcome.failures.length === 0);
  return unexplained ? failure(`ctest ${folder}`, printed) : outcome;
}

/** `wrapper`: a command that runs another one. */
async function vitest(folders, { wrapper = [], env = {} } = {}) {
  const report = join(work, `vitest-${runs++}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const [command, ...args] = [...wrapper, 'npx', 'vitest', 'run', '--passWithNoTests=false', ...reporters];
  const { ok, printed } = await run(command, [...args, ...folders], { env });
  if (!existsSync(report)) return failure('vitest itself', printed);
  return readVitest(readFileSync(report, 'utf8'), { succeeded: ok, printed, root: process.cwd() });
}

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (stages[name] === undefined) {
    console.error(`no stage ${name}; there are: ${Object.keys(stages).join(', ')}`);
    process.exit(2);
  }
}
try {
  for (const [name, stage] of Object.entries(stages)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.log(`\n--- ${name}`);
    const started = Date.now();
    let result;
    try {
      result = await stage();
    } catch (error) {
      console.error(error);
      result = { passed: 0, skipped: [], failures: [{ where: 'the stage itself', message: error.message }] };
    }
    total.passed += result.passed;
    total.failures.push(...result.failures.map((one) => ({ stage: name, ...one })));
    total.skipped.push(...result.skipped.map((where) => ({ stage: name, where, message: 'skipped' })));
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`--- ${name}: ${result.failures.length === 0 ? 'ok' : 'FAILED'} in ${seconds} s`);
  }
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
