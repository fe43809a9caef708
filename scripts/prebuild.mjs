// Builds what the package can carry, so that an installation needs no compiler: prebuilds/linux-<arch>/{bitmap,nbd}.node, and below
// sdk/ the library for compiled programs, for glibc. Another processor's are cross-built with Debian's compiler.
//   node scripts/prebuild.mjs                  x64 and arm64
//     --arch x64                               only that one (may be given again)
//     --without-nbd                            bitmap.node alone, where no libnbd of that processor can be had
// What comes out is checked before it counts: processor, symbols asked of Node, libraries and glibc asked of the system.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(root, 'package.json'));
const { symbols: nodeSymbols } = require('node-api-headers');

const TARGETS = {
  x64: {
    triplet: 'x86_64-linux-gnu',
    debian: 'amd64',
    cmake: 'x86_64',
    machine: 'Advanced Micro Devices X86-64',
  },
  arm64: { triplet: 'aarch64-linux-gnu', debian: 'arm64', cmake: 'aarch64', machine: 'AArch64' },
};
/** The newest glibc symbols an addon may ask for: RHEL 9, Ubuntu 22.04 and Debian 12 have them. */
const GLIBC_LIMIT = '2.34';
/** libstdc++ is linked in, so that an older one on the machine does no harm; libgcc_s is there where Node is. */
const LIBRARIES = /^(libc|libm|libgcc_s|libpthread|ld-linux[-\w]*)\.so/;

/** Something the user can mend; its message says how. */
class PrebuildError extends Error {}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (error) throw new PrebuildError(`${command} could not be run: ${error.message}`);
  if (status !== 0)
    throw new PrebuildError(`${command} ${args[0]} ended with ${status}; its output is above`);
}

/** The tool of a processor: `g++` is this machine's own where it is that processor. */
function tool(target, name) {
  const prefixed = `${target.triplet}-${name}`;
  if (spawnSync(prefixed, ['--version'], { stdio: 'ignore' }).status === 0) return prefixed;
  throw new PrebuildError(
    `${prefixed} not found; install with: apt-get install g++-${target.triplet.replace('x86_64', 'x86-64')}`,
  );
}

/** Where libnbd of that processor is: '' for this system, or the folder its Debian packages are unpacked in. */
function libnbdRoot(target, work) {
  if (existsSync(`/usr/lib/${target.triplet}/pkgconfig/libnbd.pc`)) return '';
  const unpacked = join(work, 'libnbd');
  const file = join(unpacked, 'usr/lib', target.triplet, 'pkgconfig/libnbd.pc');
  if (existsSync(file)) return unpacked;
  const packages = join(work, 'packages');
  rmSync(packages, { recursive: true, force: true });
  mkdirSync(packages, { recursive: true });
  try {
    // Not installed: two processors' development packages cannot stand beside each other.
    run('apt-get', ['download', '-qq', `libnbd-dev:${target.debian}`, `libnbd0:${target.debian}`], {
      cwd: packages,
    });
    for (const name of readdirSync(packages)) run('dpkg', ['-x', join(packages, name), unpacked]);
  } catch (error) {
    throw new PrebuildError(
      `libnbd for ${target.debian} could not be had (${error.message}); as root: ` +
        `dpkg --add-architecture ${target.debian} && apt-get update, or leave nbd.node out with --without-nbd`,
    );
  }
  return unpacked;
}

function build(arch, withNbd) {
  const target = TARGETS[arch];
  const work = join(root, 'build-prebuild', arch);
  mkdirSync(work, { recursive: true });
  const compiler = tool(target, 'g++');
  const headers = ['node-api-headers', 'node-addon-api'].map((name) => require(name));
  const includes = [headers[0].include_dir, headers[1].include_dir.replaceAll('"', '')].map((path) =>
    resolve(root, path),
  );
  const libnbd = withNbd ? libnbdRoot(target, work) : '/nowhere';
  const env = {
    ...process.env,
    PKG_CONFIG_LIBDIR: `${libnbd}/usr/lib/${target.triplet}/pkgconfig`,
    PKG_CONFIG_SYSROOT_DIR: libnbd,
  };
  const folder = join(work, withNbd ? 'with-nbd' : 'without-nbd');
  const options = [
    '-DCMAKE_BUILD_TYPE=Release',
    '-DCMAKE_SYSTEM_NAME=Linux',
    `-DCMAKE_SYSTEM_PROCESSOR=${target.cmake}`,
    `-DCMAKE_CXX_COMPILER=${compiler}`,
    `-DCMAKE_C_COMPILER=${tool(target, 'gcc')}`,
    `-DCMAKE_JS_INC=${includes.join(';')}`,
    // What nobody calls is left out: libstdc++'s unused parts would ask for a newer glibc than ours do.
    '-DCMAKE_MODULE_LINKER_FLAGS=-static-libstdc++ -Wl,--gc-sections,--exclude-libs,ALL',
    // No path of this machine in the files.
    `-DCMAKE_C_FLAGS=-ffile-prefix-map=${root}=.`,
    `-DCMAKE_CXX_FLAGS=-ffile-prefix-map=${root}=.${libnbd === '' ? '' : ` -isystem ${libnbd}/usr/include`}`,
    // Debian's libnbd.pc names no folder.
    `-DCMAKE_LIBRARY_PATH=${libnbd}/usr/lib/${target.triplet}`,
  ];
  run('cmake', ['-S', '.', '-B', folder, ...options], { env });
  run('cmake', ['--build', folder, '--parallel', `${cpus().length}`], { env });
  const home = join(root, 'prebuilds', `linux-${arch}`);
  const fresh = `${home}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  for (const name of withNbd ? ['bitmap.node', 'nbd.node'] : ['bitmap.node']) {
    if (!existsSync(join(folder, name)))
      throw new PrebuildError(`${name} for ${arch} was not built; cmake said why above`);
    copyFileSync(join(folder, name), join(fresh, name));
    run(tool(target, 'strip'), ['--strip-unneeded', join(fresh, name)]);
    process.stderr.write(`qemu-cbt: prebuilds/linux-${arch}/${name}: ${check(join(fresh, name), target)}\n`);
  }
  copySdk(join(folder, 'sdk'), join(fresh, 'sdk'), target);
  rmSync(home, { recursive: true, force: true });
  renameSync(fresh, home);
}

/** The libraries, by the names that say what they are, and where theirs are told. */
const SDKS = {
  'libvixDiskLib.so.8': 'native/vixdisklib/exports.map',
  'libprl_sdk.so.7': 'native/parallels/exports.map',
};

/** The libraries under each of their names, as files of their own: a package holds no links. */
function copySdk(from, to, target) {
  cpSync(join(from, 'include'), join(to, 'include'), { recursive: true });
  mkdirSync(join(to, 'lib64'));
  for (const name of readdirSync(join(from, 'lib64'))) {
    const file = join(to, 'lib64', name);
    copyFileSync(join(from, 'lib64', name), file);
    run(tool(target, 'strip'), ['--strip-unneeded', file]);
    if (name in SDKS)
      process.stderr.write(
        `qemu-cbt: sdk/lib64/${name} of ${target.triplet}: ${checkSdk(file, target, SDKS[name])}\n`,
      );
  }
}

const newer = (a, b) => a.localeCompare(b, 'en', { numeric: true }) > 0;

/** Throws where a file asks of a machine what it must not; answers what it asks, and its symbols. */
function checkFile(file, target, libraries) {
  const readelf = (option) =>
    execFileSync('readelf', ['-W', option, file], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
  const wrong = (text) => new PrebuildError(`${file} ${text}`);
  const machine = /Machine:\s+(.*)/.exec(readelf('-h'))?.[1];
  if (machine !== target.machine) throw wrong(`is for ${machine}`);
  const names = [...readelf('--dyn-syms').matchAll(/ (UND|\d+) ([\w.]+)(?:@+([\w.]+))?(?: \(\d+\))?$/gm)];
  const needed = [...readelf('-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library]) => library);
  const foreign = needed.filter((library) => !libraries.test(library));
  if (foreign.length > 0) throw wrong(`needs ${foreign.join(', ')}`);
  const versions = names.flatMap(([, , , version]) => /^GLIBC_([\d.]+)$/.exec(version ?? '')?.[1] ?? []);
  const glibc = versions.reduce((most, version) => (newer(version, most) ? version : most), '0');
  if (newer(glibc, GLIBC_LIMIT)) throw wrong(`needs glibc ${glibc}; ${GLIBC_LIMIT} is the limit`);
  return { names, machine, wrong, asks: `glibc ${glibc}, needs ${needed.join(' ')}` };
}

/** A library gives exactly the SDK's names, and needs nothing but the system's C library. */
function checkSdk(file, target, exportsFile) {
  const { names, machine, wrong, asks } = checkFile(
    file,
    target,
    /^(libc|libpthread|libdl|ld-linux[-\w]*)\.so/,
  );
  const map = readFileSync(join(root, exportsFile), 'utf8');
  const wanted = [...map.matchAll(/^\s+(\w+);/gm)].map(([, name]) => name).sort();
  const given = names.filter(([, section]) => section !== 'UND').map(([, , name]) => name);
  if (given.sort().join() !== wanted.join()) throw wrong(`gives ${given.join(', ')}`);
  return `${machine}, ${given.length} names, ${asks}`;
}

/** Throws where an addon is not what it must be; answers what it asks of a machine. */
function check(file, target) {
  const nbd = file.endsWith('nbd.node');
  const libraries = nbd ? new RegExp(`${LIBRARIES.source}|^libnbd\\.so\\.0$`) : LIBRARIES;
  const { names, machine, wrong, asks } = checkFile(file, target, libraries);
  const asked = names
    .filter(([, section, name]) => section === 'UND' && name.startsWith('napi_'))
    .map(([, , name]) => name);
  const known = new Set([...nodeSymbols.v8.js_native_api_symbols, ...nodeSymbols.v8.node_api_symbols]);
  const unknown = asked.filter((name) => !known.has(name));
  if (asked.length === 0 || unknown.length > 0)
    throw wrong(`asks Node for ${unknown.join(', ') || 'nothing'}, beyond Node-API 8`);
  if (!names.some(([, section, name]) => section !== 'UND' && name === 'napi_register_module_v1'))
    throw wrong('does not export napi_register_module_v1');
  return `${machine}, Node-API 8 (${asked.length} symbols), ${asks}`;
}

const { values } = parseArgs({
  options: { arch: { type: 'string', multiple: true }, 'without-nbd': { type: 'boolean', default: false } },
});
try {
  for (const arch of values.arch ?? Object.keys(TARGETS)) {
    if (TARGETS[arch] === undefined)
      throw new PrebuildError(`--arch is ${arch}; there are: ${Object.keys(TARGETS).join(', ')}`);
    build(arch, !values['without-nbd']);
  }
} catch (error) {
  if (!(error instanceof PrebuildError)) throw error;
  process.stderr.write(`qemu-cbt: ${error.message}\n`);
  process.exitCode = 5;
}
