// Makes docs/api-report.txt: every public name of every subpath with its declaration, without comments. What a change does to
// those who use the library is then seen in its diff.
//   node scripts/docs/make-api-report.mjs            writes the file
//   node scripts/docs/make-api-report.mjs --check    fails when the file is not what it would write
// Fails in either case for a name that means different things in two subpaths.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { strictOptions } from './options.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const target = join(root, 'docs/api-report.txt');
const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = Object.entries(exports).filter(([, to]) => to.types !== undefined);

const fileOf = (to) => join(root, to.types);
const program = ts.createProgram(
  entries.map(([, to]) => fileOf(to)),
  {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    noEmit: true,
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
  },
);
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true });

/** What only the class itself may use, or only the library. */
const isInner = (member) =>
  member.name?.kind === ts.SyntaxKind.PrivateIdentifier ||
  member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword) ||
  ts.getJSDocTags(member).some(({ tagName }) => tagName.text === 'internal');

function withoutInner(node) {
  const shown = node.members?.filter((member) => !isInner(member));
  const { factory, isClassDeclaration, isInterfaceDeclaration } = ts;
  const { modifiers, name: own, typeParameters: types, heritageClauses: from } = node;
  if (isClassDeclaration(node))
    return factory.updateClassDeclaration(node, modifiers, own, types, from, shown);
  if (isInterfaceDeclaration(node))
    return factory.updateInterfaceDeclaration(node, modifiers, own, types, from, shown);
  return node;
}

function declarationOf(declaration) {
  // Of a constant, the statement that declares it.
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  const text = printer.printNode(ts.EmitHint.Unspecified, withoutInner(node), node.getSourceFile());
  return text.replace(/^export /, '').replace(/^declare /, '');
}

const meaning = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);

function lines(symbol) {
  const meant = meaning(symbol);
  const texts = (meant.declarations ?? []).map(declarationOf);
  // One that is exported by another name than it was declared with.
  return meant.name === symbol.name ? texts : [`${symbol.name} is`, ...texts];
}

const surfaces = entries.map(([subpath, to]) => {
  const module = checker.getSymbolAtLocation(program.getSourceFile(fileOf(to)));
  return { subpath: join(name, subpath), exported: checker.getExportsOfModule(module) };
});

/** Names that are one thing in one subpath and another in another: an editor that adds the import takes either. */
function ambiguous() {
  const known = new Map();
  return surfaces.flatMap(({ subpath, exported }) =>
    exported.flatMap((symbol) => {
      const meant = meaning(symbol);
      const first = known.get(symbol.name) ?? { subpath, meant };
      known.set(symbol.name, first);
      return first.meant === meant ? [] : [`${symbol.name}: ${first.subpath} and ${subpath}`];
    }),
  );
}

const report = [
  'The public declarations of each subpath. Made by scripts/docs/make-api-report.mjs; do not edit.',
  ...surfaces.map(({ subpath, exported }) => {
    const found = exported.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    return `\n=== ${subpath} ===\n\n${found.flatMap(lines).join('\n')}`;
  }),
];
const text = `${report.join('\n')}\n`;

const twice = ambiguous();
const strict = strictOptions(
  checker,
  surfaces.flatMap(({ exported }) => exported.map(meaning)),
);
if (strict.length > 0) {
  console.error(`options that may be left out and not be undefined: add | undefined\n${strict.join('\n')}`);
  process.exitCode = 1;
} else if (twice.length > 0) {
  console.error(`names that mean two things: rename one of each\n${twice.join('\n')}`);
  process.exitCode = 1;
} else if (!process.argv.includes('--check')) {
  writeFileSync(target, text);
} else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    'docs/api-report.txt is not up to date: run npm run docs:report, and look at what the change does to users',
  );
  process.exitCode = 1;
}
