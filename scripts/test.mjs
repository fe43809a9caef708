// All tests, in the order in which failures are cheapest to learn. Prints one line a stage and, last, the true total.
//   npm test                 everything
//   npm test -- unit …       only the stages named
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

const FUZZ_SECONDS = process.env.FUZZ_SECONDS ?? '5';
const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-test-'));
const jobs = String(cpus().length);
let runs = 0;
const total = { passed: 0, failed: 0, skipped: 0 };

const LIVE = ['live', 'session', 'qemu', 'cli'].map((name) => `test/integration/${name}`);

const stages = {
  lint: () => check('npm', ['run', '--silent', 'lint']),
  types: () => check('npm', ['run', '--silent', 'typecheck']),
  coverage: () => check('node', ['scripts/make-coverage.mjs', '--check']),
  manual: () => check('node', ['scripts/make-man.mjs', '--check']),
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
  // Some of what `npm run torture` does, each time by another seed.
  torture: () => vitest(['--config', 'test/torture/vitest.config.ts']),
  // What depends on QEMU itself, once more with a newer one.
  newer: () => vitest(LIVE, ['node', 'scripts/newer-qemu.mjs']),
};

function run(command, args, options = {}) {
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
}

/** A check that either holds or does not: one test. */
function check(command, args) {
  return run(command, args).status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

function ctest(folder, options) {
  const configured = run(
    'cmake',
    ['-S', '.', '-B', folder, '-DCMAKE_BUILD_TYPE=RelWithDebInfo', ...options],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  if (
    configured.status !== 0 ||
    run('cmake', ['--build', folder, '-j', jobs], { stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0
  ) {
    return { passed: 0, failed: 1 };
  }
  const report = join(work, `${folder}.xml`);
  run('ctest', ['--test-dir', folder, '--output-on-failure', '--no-tests=error', '--output-junit', report]);
  const [head] = readFileSync(report, 'utf8').match(/<testsuite[^>]*>/s) ?? [''];
  const count = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? Number.NaN);
  const failed = count('failures') + count('disabled');
  return { passed: count('tests') - failed - count('skipped'), failed, skipped: count('skipped') };
}

/** `wrapper`: a command that runs another one. */
function vitest(folders, wrapper = []) {
  const report = join(work, `vitest-${runs++}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const [command, ...args] = [...wrapper, 'npx', 'vitest', 'run', '--passWithNoTests=false', ...reporters];
  const { status } = run(command, [...args, ...folders]);
  const {
    numPassedTests: passed,
    numFailedTests,
    numPendingTests: skipped,
    success,
    testResults,
  } = JSON.parse(readFileSync(report, 'utf8'));
  // A file that does not load has no test that failed; it is a failure all the same.
  const broken = testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.every((t) => t.status !== 'failed'),
  ).length;
  const failed = numFailedTests + broken;
  return { passed, failed: failed === 0 && !(success && status === 0) ? 1 : failed, skipped };
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
      result = stage();
    } catch (error) {
      console.error(error);
      result = { passed: 0, failed: 1 };
    }
    for (const key of Object.keys(total)) total[key] += result[key] ?? 0;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`--- ${name}: ${result.failed === 0 ? 'ok' : 'FAILED'} in ${seconds} s`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
// In CI nothing may be left out: a skipped test is a failure.
const failed = total.failed + (process.env.CI ? total.skipped : 0);
process.exitCode = failed === 0 && total.passed > 0 ? 0 : 1;
console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`,
);
