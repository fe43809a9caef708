// docs/host.schema.json, the JSON Schema of the host file, from the schema that checks it.
//   node scripts/make-host-schema.mjs           writes it
//   node scripts/make-host-schema.mjs --check   fails where it is not what would be written
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const { hostJsonSchema } = await import('../dist/host/hostSchema.js');
const file = new URL('../docs/host.schema.json', import.meta.url);
const text = `${JSON.stringify(hostJsonSchema(), null, 2)}\n`;
if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
  console.error('docs/host.schema.json is not what the schema says; run: node scripts/make-host-schema.mjs');
  process.exitCode = 1;
}
