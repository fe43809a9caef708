// What of libprl_sdk.so is made from the facts about the SDK's functions (scripts/sdk/parallels-functions.json): its names, the calls that
// are nothing but their parameters, on both sides of the channel, and the stubs of all that is not here. scripts/make-constants.mjs
// writes it.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const functions = Object.entries(
  JSON.parse(readFileSync(join(root, 'scripts/sdk/parallels-functions.json'), 'utf8')),
);
const facts = JSON.parse(readFileSync(join(root, 'scripts/sdk/parallels.json'), 'utf8'));
const FROM = 'scripts/sdk/parallels-functions.json';
const MADE = `Made by scripts/make-constants.mjs from ${FROM}; do not edit.`;

/** The functions of the facade. */
const surface = readFileSync(join(root, 'lib/facade/parallels/surface.ts'), 'utf8');
const here = new Map(
  [...surface.matchAll(/name: '(Prl\w+)',\s*status: '(\w+)'/g)].map(([, name, status]) => [name, status]),
);

/** Written by hand: what they take is more than numbers, texts, handles and boxes for them. */
const BY_HAND = new Set([
  'PrlApi_Init',
  'PrlApi_InitEx',
  'PrlApi_Deinit',
  'PrlApi_GetResultDescription',
  'PrlApi_SetLogPath',
  'PrlApi_SwitchConsoleLogging',
  'PrlBuffer_Free',
  'PrlDbg_EventTypeToString',
  'PrlDbg_HandleTypeToString',
  'PrlDbg_PrlResultToString',
  'PrlDiskMap_Read',
  'PrlDisk_CreateDisk_Local',
  'PrlDisk_GetDiskInfo',
  'PrlDisk_Read',
  'PrlDisk_Write',
  'PrlHandle_RegEventHandler',
  'PrlHandle_ToString',
  'PrlHandle_UnregEventHandler',
  'PrlSrv_RegEventHandler',
  'PrlSrv_UnregEventHandler',
  'PrlVm_RegEventHandler',
  'PrlVm_UnregEventHandler',
]);

/** Absent, and its password leaves no program. */
const NOT_SENT = new Set(['PrlSrv_Login']);

/** What a parameter is on the channel: a letter of native/parallels/src/calls.h. */
const LETTERS = {
  PRL_HANDLE: 'h',
  PRL_HANDLE_PTR: 'H',
  PRL_CONST_STR: 't',
  PRL_UINT64: 'U',
  PRL_UINT32: 'u',
  PRL_BOOL: 'u',
  PRL_RESULT: 'u',
  PRL_APPLICATION_MODE: 'u',
  PRL_SECURITY_LEVEL: 'u',
  PRL_DISK_OPEN_FLAGS: 'u',
  PRL_UINT32_PTR: 'O',
  PRL_BOOL_PTR: 'O',
  PRL_RESULT_PTR: 'O',
  PRL_APPLICATION_MODE_PTR: 'O',
  PRL_HANDLE_TYPE_PTR: 'O',
  PRL_JOB_OPERATION_CODE_PTR: 'O',
  PRL_JOB_STATUS_PTR: 'O',
};

/** The letters of a call; null where it is not one of parameters alone. */
function shapeOf({ parameters }) {
  let shape = '';
  for (let at = 0; at < parameters.length; at += 1) {
    const type = parameters[at][0].replace(/^const /, '');
    const isText = type === 'PRL_STR' && parameters[at + 1]?.[0] === 'PRL_UINT32_PTR';
    const isDisk = parameters[at][1] === 'pDiskName';
    const letter = isText ? 'S' : isDisk ? 'd' : LETTERS[type];
    if (letter === undefined) return null;
    shape += letter;
    if (isText) at += 1;
  }
  return shape;
}

const shaped = functions.flatMap(([name, declaration]) => {
  const shape = here.has(name) && !NOT_SENT.has(name) ? shapeOf(declaration) : null;
  return shape === null ? [] : [{ name, shape, ...declaration }];
});
const inC = shaped.filter(({ name }) => !BY_HAND.has(name));
const declared = functions.filter(([name]) => BY_HAND.has(name) || inC.some((one) => one.name === name));
const stubs = functions.filter(([name]) => !declared.some(([other]) => other === name));

// A stub of what the facade has would be one by oversight.
for (const [name] of stubs)
  if (here.has(name) && here.get(name) !== 'absent')
    throw new Error(`${name} is in the facade, but not in C: a parameter of it has no letter`);

const parametersOf = ({ parameters }) =>
  parameters.map(([type, name]) => `${type} ${name}`).join(', ') || 'void';

/** The version script. */
export const prlExports = () => `/* ${MADE} */
{
  global:
${functions.map(([name]) => `    ${name};`).join('\n')}
  local:
    *;
};
`;

/** The list of what is not here: what answers at once, and what gives a job. */
export const prlStubs = () => `/* ${MADE} */
${stubs.map(([name, { returns }]) => `${returns === 'PRL_HANDLE' ? 'JOB' : 'NOW'}(${name})`).join('\n')}
`;

/** Declarations for programs. */
export const prlDeclarations = () => `/* ${MADE} */
#ifndef QEMU_CBT_PRLCALLS_H
#define QEMU_CBT_PRLCALLS_H

${declared.map(([name, one]) => `${one.returns} ${name}(${parametersOf(one)});`).join('\n')}

#endif
`;

/** The calls of C. */
export const prlCalls = () => `/* ${MADE} */
#include "../calls.h"

${inC
  .map((one) => {
    const values = one.parameters.map(([, name]) => name);
    const begin = one.returns === 'PRL_HANDLE' ? 'cbt_start' : 'cbt_call';
    const call = [`"${one.name}"`, `"${one.shape}"`, ...values].join(', ');
    return `CBT_API ${one.returns} ${one.name}(${parametersOf(one)}) { return ${begin}(${call}); }`;
  })
  .join('\n')}
`;

/** Codes, types of handles and operations of jobs, for programs. */
export function prlCodes() {
  const line = ([name, { value }]) => `#define ${name} ${value < 0 ? `(${value})` : value}`;
  const results = Object.entries(facts.results).map(
    ([name, { value }]) => `#define ${name} ((PRL_RESULT)0x${Number(value).toString(16)}u)`,
  );
  return `/* Made by scripts/make-constants.mjs from scripts/sdk/parallels.json; do not edit. */
#ifndef QEMU_CBT_PRLCODES_H
#define QEMU_CBT_PRLCODES_H

${results.join('\n')}

${Object.entries(facts.handleTypes).map(line).join('\n')}

${Object.entries(facts.jobOperations).map(line).join('\n')}

#endif
`;
}

/** Their names, for PrlDbg_: the first of each value. */
export function prlNames() {
  const named = (kind) => {
    const seen = new Map();
    for (const [name, { value }] of Object.entries(facts[kind]))
      if (!seen.has(Number(value))) seen.set(Number(value), name);
    return [...seen].sort(([a], [b]) => a - b).map(([, name]) => `    {(uint32_t)${name}, "${name}"},`);
  };
  return `/* Made by scripts/make-constants.mjs from scripts/sdk/parallels.json; do not edit. In order of their values. */
static const struct cbt_name RESULTS[] = {
${named('results').join('\n')}
};
static const struct cbt_name HANDLE_TYPES[] = {
${named('handleTypes').join('\n')}
};
`;
}

/** The calls as the command reads them. */
export const prlShapes = () => `// ${MADE}

/** Parameters of the calls that are nothing else, a letter each; what they mean stands in parameters.ts. */
export const SHAPES: Readonly<Record<string, string>> = {
${shaped.map(({ name, shape }) => `  ${name}: '${shape.replaceAll('d', 't')}',`).join('\n')}
};

/** Those of them that give the handle of a job, not a code. */
export const STARTS: ReadonlySet<string> = new Set([
${shaped
  .filter(({ returns }) => returns === 'PRL_HANDLE')
  .map(({ name }) => `  '${name}',`)
  .join('\n')}
]);
`;
