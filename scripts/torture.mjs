// The long forms of what the gate does in small: random lives of a VM, every step × every fault, sessions without end, fuzzing,
// and mutants of the code that decides about trust. What came of it so far is in docs/reliability.md.
//   npm run torture                          all parts, a day or two on two cores
//   npm run torture -- histories 1000        one part and how much of it
//   … --from 1000                            of lives and moments: goes on where an earlier run of the same seed ended
//   TORTURE_SEED=7 …                         from that seed on: the same lives, the same order of moments
//   … --record                               keeps what came of it in tmp/torture
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from './torture/bundle.mjs';

const RESULTS = 'tmp/torture';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { record: { type: 'boolean', default: false }, from: { type: 'string', default: '0' } },
});
const { record, from } = values;
const [wanted, count] = positionals;
const seed = process.env.TORTURE_SEED ?? String(randomInt(2 ** 31));
const STEPS = '24';

/** Of our own: what others leave in the system's is looked at in every life, and what we leave there is seen. */
const TEMPORARY = mkdtempSync(join(tmpdir(), 'cbt-torture-'));
process.on('exit', () => rmSync(TEMPORARY, { recursive: true, force: true }));

/** A part: how much of it unless said, and how it is run. */
const PARTS = {
  histories: { count: '10000', run: (count) => program('histories', [seed, count, from, STEPS]) },
  faults: { count: 'all', run: (count) => program('faults', [seed, count, from]) },
  sessions: { count: '1000', run: (count) => torture('sessions', { TORTURE_SESSIONS: count }) },
  kills: {
    count: '2000',
    run: (count) => vitest(['test/integration/backup/killed.integ.test.ts'], { KILLS: count }),
  },
  live: {
    count: '200',
    run: (count) =>
      vitest(['test/integration/backend/qemu/live/histories.integ.test.ts'], { LIVE_HISTORIES: count }),
  },
  // A compiled program: kills at random moments, and ten times as many rounds of open and close.
  programs: {
    count: '1000',
    run: (count) =>
      vitest(['test/integration/service/library/rounds.integ.test.ts'], {
        PROGRAM_KILLS: count,
        PROGRAM_ROUNDS: String(10 * Number(count)),
        SEED: seed,
      }),
  },
  // Before each command to QEMU, and before each change to a folder.
  moments: {
    count: '1',
    run: (every) =>
      vitest(
        [
          'test/integration/backend/qemu/live/killedSession.integ.test.ts',
          'test/integration/backup/interruptedPrune.integ.test.ts',
        ],
        { KILL_EVERY: every, STRIDE: every },
      ),
  },
  // Minutes of the service of the examples, with 200 VMs whose QEMUs come and go: its memory stays what it was.
  service: {
    count: '30',
    run: (minutes) =>
      vitest(['test/integration/examples/backupService.integ.test.ts'], {
        SERVICE_VMS: process.env.SERVICE_VMS ?? '200',
        SERVICE_MINUTES: minutes,
      }),
  },
  instants: {
    count: '1000',
    run: (count) =>
      vitest(['test/integration/backend/qemu/live/instants.integ.test.ts'], { INSTANTS: count }),
  },
  // So many times what the gate tries of each.
  properties: {
    count: '100',
    run: (count) => vitest(['test/property', 'test/unit/backend/image/parallels'], { EFFORT: count }),
  },
  // Inputs of each native fuzzer under ASan and UBSan, and of each parser in TypeScript.
  fuzz: { count: '1000000', run: (count) => run('bash', ['scripts/fuzz.sh', `${count}x`]) },
  parsers: { count: '1000000', run: (count) => run('node', ['test/fuzz/run.mjs', '--runs', count]) },
  mutants: { count: 'all', run: () => run('npm', ['run', '--silent', 'mutation']) },
};

function run(command, args, env = {}) {
  // More authorities cost each Node that starts a good part of its time.
  const { NODE_EXTRA_CA_CERTS: _, ...own } = process.env;
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...own, TMPDIR: TEMPORARY, ...env },
  });
  return status === 0;
}

/** A program of test/torture in one small process of its own. */
const program = async (name, args) =>
  run(process.execPath, ['--single-threaded', await bundle(name), ...args]);
/** The long form of a test may take a day. */
const vitest = (args, env) => run('npx', ['vitest', 'run', '--testTimeout=86400000', ...args], env);
const torture = (name, env) => vitest(['--config', 'test/torture/vitest.config.ts', name], env);

if (wanted !== undefined && PARTS[wanted] === undefined) {
  console.error(`no part ${wanted}; there are: ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
function keep(part, count, ok, seconds) {
  const on = new Date().toISOString().slice(0, 10);
  const result = {
    part,
    seed: Number(seed),
    from: Number(from),
    count: Number(count) || count,
    ok,
    seconds,
    on,
  };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(`${RESULTS}/${part}.json`, `${JSON.stringify(result, null, 2)}\n`);
}

const failed = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (wanted !== undefined && wanted !== name) continue;
  const started = Date.now();
  const ok = await part.run(count ?? part.count);
  console.log(
    `--- ${name} ${count ?? part.count}: ${ok ? 'ok' : 'FAILED'} in ${((Date.now() - started) / 1000).toFixed(0)} s`,
  );
  if (!ok) failed.push(name);
  if (record) keep(name, count ?? part.count, ok, (Date.now() - started) / 1000);
}
process.exitCode = failed.length === 0 ? 0 : 1;
