/** Programs in C that use our libraries as if they were the SDKs': compiled with a library's own sources, under sanitizers; and what they run with. */
import { execFile, execFileSync } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';
import { freshBuild } from './builtCommand.js';
import { makeTemporaryFolder } from './temporaryFolder.js';
import { Stepper } from './vim/stepper.js';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');

/** The folder that programs are given as their libdir. */
export const LIBDIR = join(root, 'build/Release/sdk');
/** The library as programs load it. */
export const LIBRARY = join(LIBDIR, 'lib64/libvixDiskLib.so.8');
export const PRL_LIBRARY = join(LIBDIR, 'lib64/libprl_sdk.so.7');
export const COMMAND = join(root, 'bin/qemu-cbt.js');

const PROGRAMS = 'test/integration/service/library';
/** Where the programs of each library are. */
const CLIENTS = { vixdisklib: `${PROGRAMS}/clients`, parallels: `${PROGRAMS}/parallels/clients` };

/** Compiles a program with the sources of its library, and with settings of the compiler's; gives its file. */
export async function compileProgram(
  name: string,
  folder: string,
  sanitizers: string,
  settings: readonly string[] = [],
  library: keyof typeof CLIENTS = 'vixdisklib',
): Promise<string> {
  await freshBuild();
  const lines = (await readFile(join(root, `native/${library}/sources.txt`), 'utf8')).trim().split('\n');
  const program = join(folder, `${name}-${sanitizers}`);
  await run(
    'gcc',
    [
      ...['-g', '-O1', '-std=gnu11', '-D_GNU_SOURCE', '-DCBT_VERSION="0.1.0"', `-fsanitize=${sanitizers}`],
      ...[...settings, '-fno-sanitize-recover=all', '-Inative/channel', `-Inative/${library}/src`],
      ...[`-Inative/${library}/include`, ...lines, `${CLIENTS[library]}/${name}.c`],
      ...['-o', program, '-lpthread', '-ldl'],
    ],
    { cwd: root },
  );
  return program;
}

/** What a program prints; throws, with what it said, where it does not end well. */
export async function runProgram(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await run(file, args, { env: { ...process.env, QEMU_CBT_COMMAND: COMMAND, ...env } });
  return stdout;
}

/** A program in Python that takes steps. */
export const PYTHON_PROGRAM = join(root, 'test/integration/service/library/clients/session.py');

/** That program, and the command that runs for it, which tells its number; both gone when the test has ended. */
export async function startPython(
  extra: Readonly<Record<string, string>> = {},
): Promise<{ client: Stepper; command: () => Promise<number> }> {
  await freshBuild();
  const folder = await makeTemporaryFolder();
  onTestFinished(() => folder.remove());
  const [wrapper, told] = [join(folder.path, 'command'), join(folder.path, 'command.pid')];
  await writeFile(wrapper, `#!/bin/sh\necho $$ > ${told}\nexec ${process.execPath} ${COMMAND} "$@"\n`);
  await chmod(wrapper, 0o755);
  // No host file: there is no VM.
  const env = {
    QEMU_CBT_COMMAND: wrapper,
    QEMU_CBT_HOST: '',
    QEMU_CBT_STATE: join(folder.path, 'state'),
    ...extra,
  };
  const client = new Stepper('/usr/bin/python3', [PYTHON_PROGRAM, LIBRARY], env);
  return { client, command: async () => Number(await readFile(told, 'utf8')) };
}

/** What a library gives and needs: its names, whom it needs, what it is called, the newest minor version of glibc that it asks for. */
export function describeLibrary(file: string) {
  const tool = (name: string, ...args: string[]) => execFileSync(name, [...args, file], { encoding: 'utf8' });
  const names = tool('nm', '-D', '--defined-only')
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[2] ?? '');
  const dynamic = tool('readelf', '-dW');
  const versions = [...tool('readelf', '-VW').matchAll(/GLIBC_2\.(\d+)/g)];
  return {
    names,
    needed: [...dynamic.matchAll(/NEEDED.*\[(.*)\]/g)].map(([, name]) => name ?? ''),
    soname: /SONAME.*\[(.*)\]/.exec(dynamic)?.[1],
    staysLoaded: dynamic.includes('NODELETE'),
    glibcMinor: Math.max(...versions.map(([, minor]) => Number(minor))),
  };
}
