// A file holds one idea, which fits into 400 lines: past that it is two, and split by what they are.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const FOLDERS = ['lib', 'test', 'scripts', 'native', 'bench', 'bin', 'examples'];
const KINDS = /\.(ts|mjs|js|css|c|cpp|hpp|h|sh|py)$/;
const MOST = 400;

/** Longer ones, and why. */
const ALLOWED = {
  'native/parallels/include/prlCodes.h': 'made from scripts/sdk, where programs include it',
  'lib/cli/picture/timeline/page/page.css': 'the one style sheet of a page that is a single file',
  'lib/cli/picture/timeline/page/page.js': 'the one script of a page that is a single file',
};

const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && KINDS.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    // What is generated is read where it is made from.
    .filter((file) => !/(^|\/)(node_modules|build[^/]*|dist|generated)\//.test(file)),
);
const allowed = new Set(Object.keys(ALLOWED));
const problems = [];
for (const file of files.sort()) {
  const lines = readFileSync(join(root, file), 'utf8').split('\n').length - 1;
  if (lines > MOST && !allowed.delete(file)) problems.push(`${file}: ${lines} lines, more than ${MOST}`);
}
for (const file of allowed)
  problems.push(`${file} is allowed in scripts/check-length.mjs, and need not be any more`);
for (const problem of problems) console.error(problem);
console.error(`${files.length} files, ${problems.length} too long`);
process.exitCode = problems.length === 0 ? 0 : 1;
