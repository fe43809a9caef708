// The JSON Schemas in docs, each from the schema in the code that checks or types the same thing.
//   node scripts/make-schemas.mjs           writes them
//   node scripts/make-schemas.mjs --check   fails where one is not what would be written
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const { hostJsonSchema } = await import('../dist/host/hostSchema.js');
const { listJsonSchema } = await import('../dist/backup/listing/listSchema.js');
const { outputJsonSchema } = await import('../dist/cli/outputs/outputs.js');
const schemas = {
  'host.schema.json': hostJsonSchema(),
  'list.schema.json': listJsonSchema(),
  'output.schema.json': outputJsonSchema(),
};

for (const [name, schema] of Object.entries(schemas)) {
  const file = new URL(`../docs/${name}`, import.meta.url);
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (!process.argv.includes('--check')) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    console.error(`docs/${name} is not what the schema says; run: node scripts/make-schemas.mjs`);
    process.exitCode = 1;
  }
}
