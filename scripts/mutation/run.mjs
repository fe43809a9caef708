// Changes the code that decides about trust in small ways, one at a time, and runs the tests that reach the place: a mutant
// that no test notices is printed with its place. The report is in tmp/mutants.json.
//   npm run mutation                             lib/core
//   npm run mutation -- lib/core/chain.ts        one file
import { spawnSync } from 'node:child_process';

const [file] = process.argv.slice(2);
const { status } = spawnSync(
  process.execPath,
  [
    'scripts/mutation/node_modules/@stryker-mutator/core/bin/stryker.js',
    'run',
    'scripts/mutation/stryker.json',
    ...(file === undefined ? [] : ['--mutate', file]),
  ],
  { stdio: 'inherit' },
);
process.exitCode = status ?? 1;
