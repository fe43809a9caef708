// The table and the arrows of docs/architecture.md, from the rooms and imports of lib/ as they stand.
//   node scripts/make-architecture.mjs           writes them
//   node scripts/make-architecture.mjs --check   fails when they have drifted
import { readFileSync, writeFileSync } from 'node:fs';
import { LAYERS, layerOf, readImports } from './layers.mjs';

const FILE = new URL('../docs/architecture.md', import.meta.url);

/** Room → rooms that it uses, as the files import. */
function arrows() {
  const uses = new Map(LAYERS.map(({ name }) => [name, new Set()]));
  for (const [file, { inside }] of readImports())
    for (const target of inside) {
      const [from, to] = [layerOf(file)?.name, layerOf(target)?.name];
      if (from !== to && to !== undefined) uses.get(from)?.add(to);
    }
  return uses;
}

/** Without what follows from the others: an arrow to a room that is reached by another arrow is left out. */
function shortest(uses) {
  const reached = (from, without, seen = new Set()) => {
    for (const to of uses.get(from) ?? [])
      if (to !== without && !seen.has(to)) {
        seen.add(to);
        reached(to, undefined, seen);
      }
    return seen;
  };
  return new Map(
    [...uses].map(([from, all]) => [from, [...all].filter((to) => !reached(from, to).has(to)).sort()]),
  );
}

function drawing() {
  const width = Math.max(...LAYERS.map(({ name }) => name.length));
  const lines = [...shortest(arrows())]
    .reverse()
    .filter(([, to]) => to.length > 0)
    .map(([from, to]) => `    ${from.padEnd(width)} → ${to.join(', ')}`);
  return lines.join('\n');
}

function table() {
  const rows = LAYERS.map(({ name, holds }) => `| \`lib/${name}\` | ${holds} |`);
  return ['| Room | Holds |', '|---|---|', ...rows].join('\n');
}

function fill(text, mark, content) {
  const [from, to] = [`<!-- ${mark}: made by scripts/make-architecture.mjs -->`, `<!-- end of ${mark} -->`];
  const [start, end] = [text.indexOf(from), text.indexOf(to)];
  if (start < 0 || end < 0) throw new Error(`docs/architecture.md has no ${from} … ${to}`);
  return `${text.slice(0, start + from.length)}\n\n${content}\n\n${text.slice(end)}`;
}

const text = readFileSync(FILE, 'utf8');
const made = fill(fill(text, 'arrows', drawing()), 'rooms', table());
if (!process.argv.includes('--check')) writeFileSync(FILE, made);
else if (made !== text) {
  console.error('docs/architecture.md does not show what stands: node scripts/make-architecture.mjs');
  process.exitCode = 1;
}
