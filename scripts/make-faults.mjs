// Makes the classes of the vSphere API's faults (lib/facade/vsphere/faultClasses.ts) from what lib/facade/vsphere/schema knows of them.
//   node scripts/make-faults.mjs            writes the file
//   node scripts/make-faults.mjs --check    fails when the file is not what it would write
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TYPES } from '../dist/facade/vsphere/schema/schema.js';

const target = fileURLToPath(new URL('../lib/facade/vsphere/faultClasses.ts', import.meta.url));
const TYPE = {
  string: 'string',
  PropertyPath: 'string',
  VirtualMachinePowerState: "'poweredOff' | 'poweredOn' | 'suspended'",
};

const classes = [];
for (const { kind, name, base, fields } of TYPES.values()) {
  if (kind !== 'fault' || base === null) continue;
  const served = fields.filter(({ since }) => since === null);
  const typed = served.map(({ name: field, type, optional }) => [
    field,
    optional ? '?' : '',
    `${TYPE[type] ?? 'ManagedObjectReference'}${optional ? ' | undefined' : ''}`,
  ]);
  const all = typed.map(([field, mark, type]) => `${field}${mark}: ${type}`).join('; ');
  const any = typed.every(([, mark]) => mark === '?') ? ' = {}' : '';
  classes.push(
    typed.length === 0
      ? [
          '/** As the API’s. */',
          `export class ${name} extends ${base} {`,
          `  static override readonly type: string = '${name}';`,
          '}',
        ]
      : [
          `/** As the API’s, with ${typed.map(([field]) => `\`${field}\``).join(', ')}. */`,
          `export class ${name} extends ${base} {`,
          `  static override readonly type: string = '${name}';`,
          ...typed.flatMap(([field, mark, type]) => [
            '  /** As the API’s. */',
            field === 'name'
              ? `  declare name: ${type.replace(' | undefined', '')};`
              : `  declare readonly ${field}${mark}: ${type};`,
          ]),
          '',
          '  /**',
          '   * As {@link MethodFault}.',
          '   * @param message What went wrong, in words.',
          '   * @param properties The properties of the API’s data object.',
          '   * @param cause What it comes from.',
          '   */',
          `  constructor(message: string, properties: { ${all} }${any}, cause?: unknown) {`,
          '    super(message, properties, cause);',
          '  }',
          '}',
        ],
  );
}
const made = `${[
  [
    '/** The faults of the vSphere API as classes that inherit as they do there. Made by scripts/make-faults.mjs; do not edit. */',
    "import { MethodFault } from './methodFault.js';",
    "import type { ManagedObjectReference } from './reference.js';",
  ],
  ...classes,
]
  .map((lines) => lines.join('\n'))
  .join('\n\n')}\n`;
const biome = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url));
const text = execFileSync(biome, ['format', `--stdin-file-path=${target}`], {
  input: made,
  encoding: 'utf8',
});

if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (readFileSync(target, 'utf8') !== text) {
  console.error('lib/facade/vsphere/faultClasses.ts is not up to date: run node scripts/make-faults.mjs');
  process.exitCode = 1;
}
