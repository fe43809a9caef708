// Makes the constants of the SDKs' codes (lib/facade/*/constants/generated, and those of C in native) from the facts in scripts/sdk: name, value, and where a
// call here answers the code, what it says by it; and the calls of libprl_sdk.so (parallels-c.mjs).
//   node scripts/make-constants.mjs            writes the files
//   node scripts/make-constants.mjs --check    fails when a file is not what it would write
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  prlCalls,
  prlCodes,
  prlDeclarations,
  prlExports,
  prlNames,
  prlShapes,
  prlStubs,
} from './parallels-c.mjs';

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

/** The codes for programs in C. */
function vixHeader() {
  const codes = Object.entries(facts('vixdisklib').codes).map(([name, { value }]) => `  ${name} = ${value}`);
  return `/* Made by scripts/make-constants.mjs from scripts/sdk/vixdisklib.json; do not edit. */
#ifndef QEMU_CBT_VIXCODES_H
#define QEMU_CBT_VIXCODES_H

/* Codes that the calls of VixDiskLib answer; of a result, the low 16 bits. */
enum {
${codes.join(',\n')}
};

#endif
`;
}

/** What the codes mean, for a program whose library has not been started: the words of texts.ts, else the name. */
function vixTexts() {
  const words = readFileSync(join(root, 'lib/facade/vixdisklib/constants/texts.ts'), 'utf8');
  const told = new Map(
    [...words.matchAll(/\[codes\.(\w+), '(.*)'\]/g)].map(([, name, text]) => [name, text]),
  );
  const seen = new Set();
  const lines = Object.entries(facts('vixdisklib').codes).flatMap(([name, { value }]) => {
    if (seen.has(value)) return [];
    seen.add(value);
    return [`  {${value}, "${told.get(name) ?? name}"},`];
  });
  return `/* Made by scripts/make-constants.mjs from scripts/sdk/vixdisklib.json; do not edit. */
static const struct {
  unsigned code;
  const char *text;
} TEXTS[] = {
${lines.join('\n')}
};
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
  'native/vixdisklib/include/vixCodes.h': vixHeader,
  'native/vixdisklib/src/generated/texts.h': vixTexts,
  [`${PRL}/results.ts`]: prl('results', 'Never answered here.', (value) => String(value | 0)),
  [`${PRL}/aliases.ts`]: prlAliases,
  [`${PRL}/handleTypes.ts`]: prl('handleTypes', 'Of the SDK; no call here gives such a handle.', hex),
  [`${PRL}/flags.ts`]: prl('flags', 'Of the SDK; of no effect here.', (value) =>
    value > 9 ? hex(value) : String(value),
  ),
  [`${PRL}/jobOperations.ts`]: prl('jobOperations', 'Of the SDK; no job here has it.', String),
  'native/parallels/exports.map': prlExports,
  'native/parallels/include/prlCalls.h': prlDeclarations,
  'native/parallels/include/prlCodes.h': prlCodes,
  'native/parallels/src/generated/calls.c': prlCalls,
  'native/parallels/src/generated/names.h': prlNames,
  'native/parallels/src/generated/stubs.h': prlStubs,
  'lib/service/library/parallels/generated/shapes.ts': prlShapes,
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
