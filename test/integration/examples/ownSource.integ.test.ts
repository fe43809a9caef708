/** The example with a source of its own, as a package beside ours: compiled as strictly as can be, and run. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
let folder: TemporaryFolder;
let project: string;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  project = join(folder.path, 'own-source');
  await cp(join(root, 'examples/own-source'), project, { recursive: true });
  await mkdir(join(project, 'node_modules/@types'), { recursive: true });
  await symlink(root, join(project, 'node_modules/qemu-cbt'));
  await symlink(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'));
});
afterAll(() => folder.remove());

test('it imports nothing but the public package, and compiles without a look into ours', async () => {
  for (const file of await readdir(join(project, 'src'))) {
    const text = await readFile(join(project, 'src', file), 'utf8');
    for (const [, from = ''] of text.matchAll(/from '([^']+)'/g))
      expect(from, file).toMatch(/^(node:|\.\/[\w]+\.js$|qemu-cbt$|qemu-cbt\/backup$)/);
  }
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { stdout } = await run('node', [tsc, '-p', project]).catch((error: { stdout: string }) => error);
  expect(stdout).toBe('');
});

test('backs a storage array up, and gives back what was on it', async () => {
  const { stdout } = await run('node', [join(project, 'dist/main.js'), folder.path]);
  expect(JSON.parse(stdout)).toEqual({
    disks: [
      { verdict: 'full', changedBytes: 65_536 },
      { verdict: 'incremental', changedBytes: 3 * 65_536 },
    ],
    same: true,
    problems: [],
    against: expect.objectContaining({ disk: 'lun-7', run: 2, differentBytes: 0 }),
    inBucket: { verdicts: [['incremental', 65_536]], problems: [] },
    snapshots: 4,
  });
});
