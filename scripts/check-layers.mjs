// The dependency arrows point at the core: facades, command line and backends know it, it knows nobody. And nothing stands in a
// circle: no files that import each other, no folders side by side that do. A rule that nobody checks is a wish, so this reads
// every import and fails on one that points the wrong way.
import { findCircles, folderCircles, LAYERS, layerOf, readImports, wrongWithin } from './layers.mjs';

const imports = readImports();
const problems = [];
for (const [file, { inside, outside }] of imports) {
  const layer = layerOf(file);
  if (layer === undefined) {
    problems.push(`${file}: belongs to no layer (${LAYERS.map(({ name }) => name).join(', ')})`);
    continue;
  }
  if (!layer.bare)
    for (const specifier of outside)
      problems.push(
        `${file}: ${layer.name} does no I/O and imports nothing from outside, but imports ${specifier}`,
      );
  for (const target of inside) {
    const other = layerOf(target);
    if (target.startsWith('..')) problems.push(`${file}: imports ${target}, which is outside lib/`);
    else if (other === undefined || (other !== layer && !layer.may.includes(other.name)))
      problems.push(`${file}: ${layer.name} must not import ${target} (${other?.name ?? 'no layer'})`);
    const wrong = wrongWithin(file, target);
    if (wrong !== null) problems.push(`${file}: must not import ${target}: ${wrong}`);
  }
}
const graph = new Map([...imports].map(([file, { inside }]) => [file, inside]));
for (const circle of findCircles(graph)) problems.push(`a circle of files: ${circle.join(' ↔ ')}`);
for (const { folder, circle, because } of folderCircles(graph))
  problems.push(`a circle of folders in ${folder}: ${circle.join(' ↔ ')}\n  ${because.join('\n  ')}`);

for (const problem of problems) console.error(problem);
console.error(`${imports.size} files, ${problems.length} wrong arrows or circles`);
process.exitCode = problems.length === 0 ? 0 : 1;
