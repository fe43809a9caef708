/** The TypeScript that the documents print is held against the types: a call that no longer exists is found here. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import * as parallels from '../../lib/facade/parallels/index.js';
import { makeTemporaryFolder } from '../helpers/temporaryFolder.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What a document lets its reader bring along. */
const GIVEN = `
declare const pit: string, uuid: string, previousUuid: string;
declare function copy(offset: number, length: number): void;
declare const TIMEOUT: number, buffer: Buffer;
declare function save(data: Buffer): void;
declare function fail(code: number): never;
`;

async function snippets(): Promise<{ where: string; code: string }[]> {
  const docs = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'));
  const found: { where: string; code: string }[] = [];
  for (const file of ['README.md', ...docs.map((name) => `docs/${name}`)]) {
    const text = await readFile(join(root, file), 'utf8');
    for (const match of text.matchAll(/^```ts\n(.*?)^```$/gms)) {
      const line = text.slice(0, match.index).split('\n').length;
      found.push({ where: `${file.replaceAll(/\W/g, '_')}_${line}`, code: match[1] ?? '' });
    }
  }
  return found;
}

/** A snippet as a module of its own; one that goes on from an earlier one uses the SDK's names without importing them. */
function moduleOf(code: string): string {
  if (/^import /m.test(code)) return `${code}${GIVEN}`;
  const used = Object.keys(parallels).filter((name) => new RegExp(`\\b${name}\\b`).test(code));
  return `import { ${used.join(', ')} } from 'qemu-cbt/parallels';\n${code}${GIVEN}declare const vm: number;\n`;
}

test('every snippet of the documents fits the types', async () => {
  const folder = await makeTemporaryFolder();
  try {
    const all = await snippets();
    expect(all.length).toBeGreaterThanOrEqual(5);
    await mkdir(join(folder.path, 'src'));
    await writeFile(join(folder.path, 'package.json'), '{"type":"module"}');
    for (const { where, code } of all)
      await writeFile(join(folder.path, 'src', `${where}.ts`), moduleOf(code));
    const paths = {
      'qemu-cbt': [join(root, 'lib/index.ts')],
      'qemu-cbt/backup': [join(root, 'lib/backup/index.ts')],
      'qemu-cbt/testing': [join(root, 'lib/testing/index.ts')],
      'qemu-cbt/*': [join(root, 'lib/facade/*/index.ts')],
    };
    const typeRoots = [join(root, 'node_modules/@types')];
    const compilerOptions = { paths, typeRoots, noUnusedLocals: false, noUncheckedIndexedAccess: false };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['src'] };
    await writeFile(join(folder.path, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder.path]).catch(
      (error: { stdout: string }) => error,
    );
    expect(stdout).toBe('');
  } finally {
    await folder.remove();
  }
});
