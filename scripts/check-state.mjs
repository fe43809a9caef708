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

/** Methods that change what they are called on. */
const CHANGES = /^(set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin)$/;

/** What a constant starts as that could be changed later, in words; null where it cannot. */
export function remembers(value, annotation) {
  // `new Map() as Map<…>`, and the like.
  let init = value;
  while (init?.type === 'TSAsExpression' || init?.type === 'TSSatisfiesExpression') init = init.expression;
  const type = annotation?.typeAnnotation;
  const readOnly =
    (type?.type === 'TSTypeReference' && READ_ONLY.test(type.typeName?.name ?? '')) ||
    (type?.type === 'TSTypeOperator' && type.operator === 'readonly');
  if (init?.type === 'NewExpression')
    return readOnly || init.callee.name === 'RegExp' ? null : `a new ${init.callee.name ?? 'object'}`;
  if (init?.type === 'CallExpression' && /Function/.test(unwrapped(init.callee).type))
    return 'what a function keeps that is called at once';
  const empty =
    (init?.type === 'ArrayExpression' && init.elements.length === 0) ||
    (init?.type === 'ObjectExpression' && init.properties.length === 0);
  return empty && !readOnly ? 'an empty collection' : null;
}

function unwrapped(node) {
  return node.type === 'ParenthesizedExpression' ? unwrapped(node.expression) : node;
}

function* nodesOf(node) {
  if (typeof node?.type === 'string') yield node;
  for (const child of Object.values(node ?? {}))
    if (typeof child === 'object' && child !== null) yield* nodesOf(child);
}

/** Names at the top of a module, and those that are something else somewhere in it. */
function namesOf(program) {
  const top = new Set();
  const inner = new Set();
  for (const statement of program.body) {
    const declared = statement.declaration ?? statement;
    for (const { id } of declared.declarations ?? [declared]) if (id?.name !== undefined) top.add(id.name);
    for (const { local } of statement.specifiers ?? []) if (local?.name !== undefined) top.add(local.name);
  }
  for (const node of nodesOf(program))
    for (const parameter of node.params ?? [])
      for (const { type, name } of nodesOf(parameter)) if (type === 'Identifier') inner.add(name);
  const outermost = new Set(program.body.map((statement) => statement.declaration ?? statement));
  for (const node of nodesOf(program))
    if (node.type === 'VariableDeclaration' && !outermost.has(node))
      for (const { id } of node.declarations)
        for (const { type, name } of nodesOf(id)) if (type === 'Identifier') inner.add(name);
  return new Set([...top].filter((name) => !inner.has(name)));
}

/** The variable that `a.b[c].d` is a part of; null where it is none, or a variable itself. */
function ownerOf(node) {
  if (node.type !== 'MemberExpression') return null;
  const { object } = node;
  return object.type === 'Identifier' ? object.name : ownerOf(object);
}

/** What the module changes of its own constants, functions, classes and imports. */
function findChanges(program) {
  const names = namesOf(program);
  const found = new Map();
  for (const node of nodesOf(program)) {
    const { callee } = node;
    const changed =
      node.type === 'AssignmentExpression'
        ? ownerOf(node.left)
        : node.type === 'UpdateExpression' || (node.type === 'UnaryExpression' && node.operator === 'delete')
          ? ownerOf(node.argument)
          : node.type === 'CallExpression' &&
              callee.type === 'MemberExpression' &&
              CHANGES.test(callee.property.name ?? '')
            ? ownerOf(callee)
            : null;
    if (changed !== null && names.has(changed)) found.set(changed, 'changed by a function of its module');
  }
  return [...found].map(([name, what]) => ({ name, what }));
}

/** Every state of a module: its name, and what is wrong with it. */
export function findState(source) {
  const program = parseAst(source, { lang: 'ts' });
  const found = [];
  for (const statement of program.body) {
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
  const known = new Set(found.map(({ name }) => name));
  return [...found, ...findChanges(program).filter(({ name }) => !known.has(name))];
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
