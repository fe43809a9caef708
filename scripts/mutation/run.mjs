// Changes the code that decides about trust in small ways, one at a time, and runs the tests that reach the place: a mutant
// that no test notices is printed with its place. The report is in tmp/mutants.json.
//   npm run mutation                             every area, a long time: the last two start QEMU for each mutant
//   npm run mutation -- lib/core/chain.ts        one file
//   npm run mutation -- lib/core/chain.ts test/unit/core/chain.test.ts    … by these tests alone
import { spawnSync } from 'node:child_process';

/** Files, and the tests that decide about them. */
const AREAS = [
  { folder: 'lib/core/', names: ['**/*'], tests: ['test/unit/core/**', 'test/property/core/**'] },
  {
    folder: 'lib/backup/',
    names: ['chooseBase', 'series', 'keepRules', 'keptRuns'],
    tests: ['test/unit/backup/**'],
  },
  {
    folder: 'lib/backup/',
    names: ['prune', 'merge', 'finishMerge', 'mergeJournal', 'mergeSums'],
    tests: [
      'test/unit/backup/**',
      'test/integration/backup/{prune,fullFolder,interruptedPrune}*.integ.test.ts',
    ],
  },
  {
    folder: 'lib/backend/qemu/session/',
    names: ['*'],
    tests: [
      'test/unit/backend/qemu/session/**',
      'test/integration/backend/qemu/{session,live}/*.integ.test.ts',
    ],
  },
];

const [file, ...only] = process.argv.slice(2);
const areaOf = (path) =>
  AREAS.find(({ folder, names }) =>
    names.some((name) => (name.includes('*') ? path.startsWith(folder) : path === `${folder}${name}.ts`)),
  );
const area = file === undefined ? undefined : areaOf(file);
if (file !== undefined && area === undefined && only.length === 0) {
  console.error(`which tests decide about ${file} is not known: name them after it`);
  process.exit(2);
}
const runs =
  file === undefined
    ? AREAS.map(({ folder, names, tests }) => ({ mutate: names.map((name) => `${folder}${name}.ts`), tests }))
    : [{ mutate: [file], tests: only.length > 0 ? only : area.tests }];
for (const { mutate, tests } of runs) {
  const { status } = spawnSync(
    process.execPath,
    [
      'scripts/mutation/node_modules/@stryker-mutator/core/bin/stryker.js',
      'run',
      'scripts/mutation/stryker.json',
      '--mutate',
      mutate.join(','),
    ],
    { stdio: 'inherit', env: { ...process.env, MUTATION_TESTS: JSON.stringify(tests) } },
  );
  if (status !== 0) process.exitCode = status ?? 1;
}
