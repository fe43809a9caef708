// No facade keeps state in a module: one process serves many clients, and what one of them sets, opens or ends is nobody else's.
// State is in a client's own object (lib/facade/clientState.ts). A rule that nobody checks is a wish, so this reads every file of
// lib/facade and fails on what can change between two calls: `let`, collections that can be filled, objects that remember.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'rolldown/parseAst';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../lib/facade');

/** By file: the constants that may remember something, and why. */
const ALLOWED = {
  'parallels/runtime.ts': {
    runtimes: 'whose call is running; the process’s own client',
    handleNumbers: 'no number is given to two clients',
  },
  'vixdisklib/library.ts': { libraries: 'whose call is running; the process’s own client' },
};

const READ_ONLY = /^(ReadonlyMap|ReadonlySet|ReadonlyArray|Readonly)$/;

/** What a constant starts as that could be changed later, in words; null where it cannot. */
export function remembers(init, annotation) {
  const type = annotation?.typeAnnotation;
  const readOnly =
    (type?.type === 'TSTypeReference' && READ_ONLY.test(type.typeName?.name ?? '')) ||
    (type?.type === 'TSTypeOperator' && type.operator === 'readonly');
  if (init?.type === 'NewExpression')
    return readOnly || init.callee.name === 'RegExp' ? null : `a new ${init.callee.name ?? 'object'}`;
  const empty =
    (init?.type === 'ArrayExpression' && init.elements.length === 0) ||
    (init?.type === 'ObjectExpression' && init.properties.length === 0);
  return empty && !readOnly ? 'an empty collection' : null;
}

/** Every state of a module: its name, and what is wrong with it. */
export function findState(source) {
  const found = [];
  for (const statement of parseAst(source, { lang: 'ts' }).body) {
    const declared = statement.declaration ?? statement;
    if (declared.type === 'VariableDeclaration')
      for (const { id, init } of declared.declarations) {
        const what = declared.kind === 'const' ? remembers(init, id.typeAnnotation) : `a ${declared.kind}`;
        if (what !== null) found.push({ name: id.name ?? 'names', what });
      }
    if (declared.type === 'ClassDeclaration')
      for (const { type, static: shared, readonly, key, value, typeAnnotation } of declared.body.body)
        if (type === 'PropertyDefinition' && shared) {
          const what = readonly ? remembers(value, typeAnnotation) : 'static and not readonly';
          if (what !== null) found.push({ name: `${declared.id.name}.${key.name}`, what });
        }
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
  const problems = [];
  const unused = new Set(
    Object.entries(ALLOWED).flatMap(([file, names]) => Object.keys(names).map((name) => `${file}: ${name}`)),
  );
  for (const file of files)
    for (const { name, what } of findState(readFileSync(join(root, file), 'utf8')))
      if (!unused.delete(`${file}: ${name}`))
        problems.push(
          `lib/facade/${file}: ${name} is ${what}: state belongs to a client (lib/facade/clientState.ts)`,
        );
  for (const entry of unused)
    problems.push(`${entry} is allowed in scripts/check-state.mjs, and is not there any more`);
  for (const problem of problems) console.error(problem);
  console.error(`${files.length} files of facades, ${problems.length} with state of their own`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
