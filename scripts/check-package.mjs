// The package as a user gets it: packed, linted, its types resolved, installed into an empty project with its addon built
// there, and used once through its main entry and its command.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-pack-'));
const run = (command, args, cwd = process.cwd()) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

try {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work]));
  const paths = packed.files.map((file) => file.path);
  const unexpected = paths.filter(
    (path) => !/^(dist|lib|bin|native|scripts\/build-native\.mjs|docs)\b|^[^/]+$/.test(path),
  );
  const needed = [
    'bin/qemu-cbt.js',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/command/qemu-cbt.cjs',
    'dist/command/qemu-cbt.cjs.v8',
    'dist/cli/picture/timeline/page/page.js',
    'dist/cli/picture/timeline/page/page.css',
    'native/sources.txt',
    'CMakeLists.txt',
    'binding.gyp',
    'LICENSE',
  ];
  const missing = needed.filter((path) => !paths.includes(path));
  if (unexpected.length + missing.length > 0)
    throw new Error(`packed too much: ${unexpected}; packed too little: ${missing}`);
  const tarball = join(work, packed.filename);

  run('npx', ['publint', '--strict']);
  run('npx', ['attw', tarball, '--profile', 'esm-only']);

  const project = mkdtempSync(join(work, 'project-'));
  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}\n');
  // Newer npm runs no install script that was not approved: the package must work without, and build when told to.
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball], project);
  const bin = join(project, 'node_modules/.bin/qemu-cbt');
  const doctor = run(bin, ['doctor'], project);
  if (!doctor.startsWith('kernel: script')) throw new Error(`without its addon the package said: ${doctor}`);
  run(process.execPath, [join(project, 'node_modules/qemu-cbt/scripts/build-native.mjs')], project);
  const script =
    "import { openDisk, CbtError } from 'qemu-cbt'; try { await openDisk('absent.qcow2', { kernel: 'native' }) } catch (e) { console.log(e instanceof CbtError, e.code) }";
  const answer = run(process.execPath, ['--input-type=module', '-e', script], project).trim();
  if (answer !== 'true ERR_CBT_BACKEND_UNAVAILABLE')
    throw new Error(`the installed package answered: ${answer}`);
  const help = run(bin, ['--help'], project);
  if (!help.includes('changes')) throw new Error(`the installed command said: ${help}`);
  console.log(`package: ${packed.entryCount} files, ${packed.size} bytes packed, installs, builds and runs`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
