// The package as it is published: what is packed, whether its manifest is sound, and whether its types resolve. How it
// installs and runs is scripts/check-install.mjs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-pack-'));
const run = (command, args, cwd = process.cwd()) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** Every file that the manifest names to importers. */
function exported() {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8'));
  const files = Object.values(exports).flatMap((of) => (typeof of === 'string' ? of : Object.values(of)));
  return files.map((file) => file.replace(/^\.\//, ''));
}

/** What the README points to beside it: whoever reads it from the package finds it there. */
function linked() {
  const targets = [...readFileSync('README.md', 'utf8').matchAll(/\]\(([\w./-]+)(?:#[\w-]+)?\)/g)];
  return targets.map(([, target]) => target);
}

try {
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work]));
  const paths = packed.files.map((file) => file.path);
  const unexpected = paths.filter(
    (path) =>
      path.includes('.v8') ||
      !/^(dist|lib|bin|native|scripts\/build-native\.mjs|docs|examples|bench\/README\.md|man|systemd)\b|^prebuilds\/linux-(x64|arm64)\/((bitmap|nbd)\.node|sdk\/(lib64|include)\/\w+\.[\w.]+)$|^[^/]+$/.test(
        path,
      ),
  );
  const needed = [
    'bin/qemu-cbt.js',
    'bin/compiledCode.js',
    ...exported(),
    'dist/command/qemu-cbt.cjs',
    'dist/command/guard.cjs',
    'dist/cli/picture/timeline/page/page.js',
    'dist/cli/picture/timeline/page/page.css',
    'native/sources.txt',
    'native/channel/channel.c',
    'native/parallels/sources.txt',
    'native/parallels/exports.map',
    'native/parallels/include/prlCodes.h',
    'native/parallels/src/generated/stubs.h',
    'native/vixdisklib/sources.txt',
    'native/vixdisklib/exports.map',
    'native/vixdisklib/include/vixDiskLib.h',
    'native/vixdisklib/src/generated/texts.h',
    'CMakeLists.txt',
    'binding.gyp',
    'LICENSE',
    'man/qemu-cbt.1',
    'systemd/qemu-cbt.service',
    'systemd/qemu-cbt.socket',
    'systemd/qemu-cbt-run@.service',
    'systemd/qemu-cbt-run@.timer',
  ];
  const isPacked = (path) => paths.some((one) => one === path || one.startsWith(`${path}/`));
  const missing = [...needed, ...linked()].filter((path) => !isPacked(path));
  if (unexpected.length + missing.length > 0)
    throw new Error(`packed too much: ${unexpected}; packed too little: ${missing}`);
  const tarball = join(work, packed.filename);

  run('npx', ['publint', '--strict']);
  run('npx', ['attw', tarball, '--profile', 'esm-only']);

  console.log(`package: ${packed.entryCount} files, ${packed.size} bytes packed`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
