/**
 * The programs that documents and docstrings print are compiled strictly against the package as it is installed, and run: a call that no
 * longer exists, or does not do what it is shown for, is found here.
 */
import { execFile } from 'node:child_process';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshBuild } from '../helpers/builtCommand.js';
import { findSnippets, moduleName, type Snippet, writeModules } from '../helpers/snippets.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporaryFolder.js';
import { NOT_AS_SHOWN } from './snippetsNotAsShown.js';
import { SnippetWorld } from './snippetWorld.js';

const root = join(import.meta.dirname, '../..');
let folder: TemporaryFolder;
let all: Snippet[];
let compiled: string;

beforeAll(async () => {
  await freshBuild();
  folder = await makeTemporaryFolder();
  all = await findSnippets();
  await writeModules(folder.path, all);
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder.path]).catch(
    (error: { stdout: string }) => error,
  );
  compiled = stdout.replaceAll(relative(process.cwd(), folder.path), '');
});
afterAll(() => folder?.remove());

test('every snippet of the documents and every example of a docstring fits the types', () => {
  expect(all.filter(({ subpath }) => subpath === null).length).toBeGreaterThanOrEqual(14);
  expect(all.filter(({ subpath }) => subpath !== null).length).toBeGreaterThanOrEqual(190);
  expect(compiled).toBe('');
});

test('every one of them does what it shows, or what the table says of it', async () => {
  await using world = await SnippetWorld.make(join(folder.path, 'world'));
  const ended = await world.run(join(folder.path, 'out'), all);
  const wrong = all.flatMap((one) => {
    const seen = ended[moduleName(one)] ?? 'was not run';
    const expected = NOT_AS_SHOWN[one.name]?.ends ?? 'ok';
    return seen.startsWith(expected) ? [] : [`${one.where}: ${seen}, and not ${expected}`];
  });
  expect(wrong).toEqual([]);
  // Nothing of the table is of a snippet that there is no more.
  const names = new Set(all.map(({ name }) => name));
  expect(Object.keys(NOT_AS_SHOWN).filter((name) => !names.has(name))).toEqual([]);
});
