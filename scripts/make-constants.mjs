// Makes the constants of the SDKs' codes (lib/facade/*/constants/generated) from the facts in scripts/sdk: name, value, and where a
// call here answers the code, what it says by it.
//   node scripts/make-constants.mjs            writes the files
//   node scripts/make-constants.mjs --check    fails when a file is not what it would write
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const facts = (sdk) => JSON.parse(readFileSync(join(root, `scripts/sdk/${sdk}.json`), 'utf8'));
const HEAD = (sdk) => `// Made by scripts/make-constants.mjs from scripts/sdk/${sdk}.json; do not edit.\n`;

function vixCodes() {
  const codes = Object.entries(facts('vixdisklib').codes);
  const lines = codes.map(
    ([name, { value, says = 'Never answered here.' }]) => `/** ${says} */\nexport const ${name} = ${value};`,
  );
  const values = [...new Set(codes.map(([, { value }]) => value))].sort((a, b) => a - b);
  return `${HEAD('vixdisklib')}
/** A result: VIX_OK, VIX_ASYNC, or what went wrong. */
export type VixError =
  | ${values.join('\n  | ')};

${lines.join('\n')}
`;
}

/** Constants of one kind: `values` by name, each with what it says or `otherwise`. */
const constants = (values, otherwise, show) =>
  Object.entries(values)
    .map(
      ([name, { value, says = otherwise }]) =>
        `/** ${says} */\nexport const ${name} = ${show(Number(value))};`,
    )
    .join('\n');

const prl = (kind, otherwise, show) => () =>
  `${HEAD('parallels')}\n${constants(facts('parallels')[kind], otherwise, show)}\n`;

/** Of the names of one value the first is its own; the others are told here. */
function prlAliases() {
  const seen = new Set();
  const others = Object.entries(facts('parallels').results).flatMap(([name, { value }]) => {
    if (seen.has(Number(value))) return [name];
    seen.add(Number(value));
    return [];
  });
  return `${HEAD('parallels')}
/** Names of results that are other names of a value that has one. */
export const ALIASES: ReadonlySet<string> = new Set([
${others.map((name) => `  '${name}',`).join('\n')}
]);
`;
}

const hex = (value) => `0x${value.toString(16)}`;
const PRL = 'lib/facade/parallels/constants/generated';
const FILES = {
  'lib/facade/vixdisklib/constants/generated/codes.ts': vixCodes,
  [`${PRL}/results.ts`]: prl('results', 'Never answered here.', (value) => String(value | 0)),
  [`${PRL}/aliases.ts`]: prlAliases,
  [`${PRL}/handleTypes.ts`]: prl('handleTypes', 'Of the SDK; no call here gives such a handle.', hex),
  [`${PRL}/jobOperations.ts`]: prl('jobOperations', 'Of the SDK; no job here has it.', String),
};

let stale = 0;
for (const [file, make] of Object.entries(FILES)) {
  const path = join(root, file);
  const text = make();
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    stale += 1;
    console.error(`${file} is not up to date: run node scripts/make-constants.mjs`);
  }
}
if (process.argv.includes('--check') && stale === 0)
  console.error(`${Object.keys(FILES).length} files of constants are up to date`);
process.exitCode = stale === 0 ? 0 : 1;
