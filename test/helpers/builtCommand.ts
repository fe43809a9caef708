/** The command as it is installed, and the library, for tests of real processes: built anew where the sources are newer. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
const bundle = join(root, 'dist', 'command', 'qemu-cbt.cjs');
const command = join(root, 'bin', 'qemu-cbt.js');

let ready: Promise<void> | null = null;

/** What is built is no older than the sources. */
export function freshBuild(): Promise<void> {
  ready ??= build();
  return ready;
}

/** Makes the bundle when there is none, or an old one; one process at a time does. */
async function build(): Promise<void> {
  if (await isFresh()) return;
  const lock = join(root, 'node_modules', '.cache', 'bundle.lock');
  await mkdir(join(lock, '..'), { recursive: true });
  const work = `[ "$(find lib -newer dist/command/qemu-cbt.cjs -name '*.ts' -print -quit 2>&1)" = '' ] || npm run --silent build:ts`;
  await promisify(execFile)('flock', [lock, 'sh', '-c', work], { cwd: root });
}

async function isFresh(): Promise<boolean> {
  const built = await stat(bundle).catch(() => null);
  if (built === null) return false;
  const sources = await readdir(join(root, 'lib'), { recursive: true, withFileTypes: true });
  const files = sources.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'));
  const times = await Promise.all(files.map((entry) => stat(join(entry.parentPath, entry.name))));
  return times.every(({ mtimeMs }) => mtimeMs <= built.mtimeMs);
}

export interface CommandRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface StartOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** Programs in front (`unshare`, `strace`). */
  front?: string[];
  /** In a session of its own, with no terminal. */
  detached?: boolean;
}

/** Starts the command; `done` says how it ended. */
export async function startCommand(
  argv: string[],
  { cwd, env, front = [], detached = false }: StartOptions = {},
): Promise<{ child: ChildProcess; done: Promise<CommandRun> }> {
  await freshBuild();
  const [program, ...args] = [...front, process.execPath, command, ...argv] as [string, ...string[]];
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached,
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (more: string) => {
      text[name] += more;
    });
  const done = once(child, 'close').then(([code, signal]) => ({ code, signal, ...text }));
  return { child, done };
}

/** Runs the command to its end. */
export async function runCommand(argv: string[], options?: StartOptions): Promise<CommandRun> {
  return (await startCommand(argv, options)).done;
}
