// Tests stand where what they test stands: the folders of test/unit, test/integration and test/property are those of lib/, those of
// test/conformance are the facades. A rule that nobody checks is a wish, so this fails on a folder that lib/ does not have, and on a
// unit or property test that asks only one folder, which lies below its own.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** By folder of test/: what its folders are those of. */
const MIRRORS = { unit: 'lib', integration: 'lib', property: 'lib', conformance: 'lib/facade' };

/** Where a test asks the folder that it is of; the others go in by the product's own doors. */
const NEAR = new Set(['unit', 'property']);

/** Folders of test/ that mirror nothing, and why. */
const ALLOWED = {
  contract: 'a suite a port, over every maker of it',
  fuzz: 'inputs by the million, in a process of its own',
  helpers: 'what tests of several folders share',
  torture: 'the whole product, for hours',
  types: 'what compiles for users of the package',
  'conformance/differences': 'a file for each number of docs/differences.md',
  'conformance/historic': 'what others had to learn, by the names that they gave it',
  'integration/examples': 'the programs of examples/',
  'unit/scripts': 'what scripts/ checks and reports',
};

/** A folder of this name has programs of other languages, for the tests beside it. */
const CLIENTS = 'clients';

/** What is wrong with files of test/, by their paths there; `folders`: those of the repository that have files; `sourceOf` reads one. */
export function findStrangers(files, folders, sourceOf) {
  const unused = new Set(Object.keys(ALLOWED));
  const problems = [];
  for (const file of files) {
    const folder = dirname(file).replace(new RegExp(`/${CLIENTS}$`), '');
    const allowed = [...ancestors(folder)].find((one) => Object.hasOwn(ALLOWED, one));
    if (allowed !== undefined) {
      unused.delete(allowed);
      continue;
    }
    const [kind = '', ...rest] = folder.split('/');
    if (!Object.hasOwn(MIRRORS, kind)) {
      problems.push(`test/${file}: test/${kind} mirrors nothing that scripts/check-mirror.mjs knows`);
      continue;
    }
    const mirrored = [MIRRORS[kind], ...rest].join('/');
    if (!folders.has(mirrored)) problems.push(`test/${file}: there is no ${mirrored} that it could be of`);
    else if (NEAR.has(kind) && file.endsWith('.test.ts')) {
      const asked = imported(file, sourceOf(file)).map((path) => dirname(path));
      const inside = new Set(asked.filter((path) => path === mirrored || path.startsWith(`${mirrored}/`)));
      const [only] = inside;
      if (inside.size === 1 && only !== mirrored)
        problems.push(`test/${file}: asks only ${only}, and stands above`);
    }
  }
  for (const folder of unused)
    problems.push(`test/${folder} is allowed in scripts/check-mirror.mjs, and is not there any more`);
  return problems;
}

function* ancestors(folder) {
  for (let at = folder; at !== '.'; at = dirname(at)) yield at;
}

/** Files of the repository that a test imports. */
function imported(file, source) {
  return [...source.matchAll(/\b(?:from|import\() ?'(\.[^']+)'/g)].map(([, path]) =>
    relative('/', resolve('/test', dirname(file), path)),
  );
}

function filesIn(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(root, folder), join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Files at the top of test/ are not of a folder.
  const files = filesIn('test').filter((file) => file.includes('/'));
  const folders = new Set(filesIn('lib').flatMap((file) => [...ancestors(`lib/${dirname(file)}`)]));
  const problems = findStrangers(files, folders, (file) => readFileSync(join(root, 'test', file), 'utf8'));
  for (const problem of problems) console.error(problem);
  console.error(`${files.length} files of tests, ${problems.length} not where what they test is`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
