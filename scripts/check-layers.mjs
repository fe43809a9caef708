// The dependency arrows point at the core: facades, command line and backends know it, it knows nobody. A rule that
// nobody checks is a wish, so this reads every import and fails on one that points the wrong way.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../lib');

/** Layer of a file (path below lib/, first match wins) and the layers it may import beside its own. */
const LAYERS = [
  { name: 'core', match: /^core\//, may: [], bare: false },
  // What the system promises (locks, whole files, processes); knows no word of ours but the errors.
  { name: 'linux', match: /^linux\//, may: ['core'], bare: true },
  { name: 'kernel', match: /^kernel\//, may: ['core'], bare: true },
  { name: 'backend/image', match: /^backend\/image\//, may: ['core', 'linux'], bare: true },
  { name: 'backend/nbd', match: /^backend\/nbd\//, may: ['core', 'linux'], bare: true },
  {
    name: 'backend/qemu',
    match: /^backend\/qemu\//,
    may: ['core', 'linux', 'backend/nbd', 'backend/image'],
    bare: true,
  },
  { name: 'facade', match: /^facade\//, may: ['core', 'linux', 'wiring'], bare: true },
  { name: 'backup', match: /^backup\//, may: ['core', 'linux', 'wiring'], bare: true },
  { name: 'cli', match: /^cli\//, may: ['core', 'linux', 'wiring', 'kernel', 'backup'], bare: true },
  // index.ts and the wiring files beside it choose backend and kernel for everybody.
  {
    name: 'wiring',
    match: /^[^/]+\.ts$/,
    may: ['core', 'linux', 'kernel', 'backend/image', 'backend/nbd', 'backend/qemu'],
    bare: true,
  },
];

const layerOf = (path) => LAYERS.find((layer) => layer.match.test(path));

const problems = [];
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));

for (const file of files) {
  const layer = layerOf(file);
  if (layer === undefined) {
    problems.push(`${file}: belongs to no layer`);
    continue;
  }
  const source = readFileSync(join(root, file), 'utf8');
  for (const [, specifier] of source.matchAll(
    /(?:^(?:import|export)\b[^;']*\bfrom\s+|^import\s+|\bimport\()'([^']+)'/gm,
  )) {
    if (!specifier.startsWith('.')) {
      if (!layer.bare)
        problems.push(
          `${file}: ${layer.name} does no I/O and imports nothing from outside, but imports ${specifier}`,
        );
      continue;
    }
    const target = relative(root, resolve(root, dirname(file), specifier)).replace(/\.js$/, '.ts');
    if (target.startsWith('..')) {
      problems.push(`${file}: imports ${specifier}, which is outside lib/`);
      continue;
    }
    const other = layerOf(target);
    if (other === undefined || (other !== layer && !layer.may.includes(other.name))) {
      problems.push(`${file}: ${layer.name} must not import ${target} (${other?.name ?? 'no layer'})`);
    }
  }
}

for (const problem of problems) console.error(problem);
console.error(`${files.length} files, ${problems.length} wrong arrows`);
process.exitCode = problems.length === 0 ? 0 : 1;
