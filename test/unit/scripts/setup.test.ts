/** What set-up asks for on a machine that has nothing: for the demo what the product needs, for everything also what tests compare with. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const script = resolve(import.meta.dirname, '../../../scripts/setup.sh');

/** The only programs there are: what the script itself needs, and an apt-get that installs nothing. */
let programs: string;

beforeEach(async () => {
  programs = await mkdtemp(join(tmpdir(), 'cbt-setup-'));
  for (const name of ['bash', 'dirname', 'sort', 'id'])
    await symlink(`/usr/bin/${name}`, join(programs, name));
  await symlink(process.execPath, join(programs, 'node'));
  await writeFile(join(programs, 'apt-get'), '#!/bin/sh\nexit 9\n', { mode: 0o755 });
});
afterEach(() => rm(programs, { recursive: true, force: true }));

/** Packages that would be installed, or that a user is told to install. */
async function asked(...options: string[]): Promise<string[]> {
  const said = await new Promise<string>((done) => {
    execFile(
      join(programs, 'bash'),
      [script, ...options],
      { env: { PATH: programs } },
      (error, _, stderr) => {
        done(`${stderr}\n${error === null ? 'it went on' : ''}`);
      },
    );
  });
  const [, list = said] = /(?:installing:|apt-get install) (.*)/.exec(said) ?? [];
  return list.split(' ');
}

test('the demo asks for a compiler, QEMU’s tools and libnbd, and for nothing that only tests need', async () => {
  const demo = [
    'cmake',
    'g++',
    'libnbd-dev',
    'make',
    'pkg-config',
    'qemu-system-common',
    'qemu-utils',
    'util-linux',
  ];
  expect(await asked('--if-needed', '--demo')).toEqual(demo);
  expect(await asked('--if-needed')).toEqual(expect.arrayContaining([...demo, 'clang', 'golang-go', 'ruby']));
});
