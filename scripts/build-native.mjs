// Builds the native addons. No network: cmake-js takes the headers from the node-api-headers package, and for node-gyp a
// folder with the same headers is put together.
//   node scripts/build-native.mjs                  build/Release/*.node, by cmake-js
//     --debug                                      build/Debug/*.node
//     --clang                                      with clang instead of gcc
//     --sanitize address,undefined                 in build-sanitize/Release; load it with the sanitizer preloaded
//     --gyp                                        build-gyp/build/Release/*.node, by node-gyp
//     --if-possible                                for npm's install: builds only where no addon loads; never fails
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(root, 'package.json'));

/** Something the user can mend; its message says how. */
class BuildError extends Error {}

const say = (text) => process.stderr.write(`qemu-cbt: ${text}\n`);

async function main() {
  const { values: flags } = parseArgs({
    options: {
      debug: { type: 'boolean', default: false },
      clang: { type: 'boolean', default: false },
      sanitize: { type: 'string' },
      gyp: { type: 'boolean', default: false },
      'if-possible': { type: 'boolean', default: false },
    },
  });
  try {
    if (flags['if-possible'] && (await allLoad())) return;
    if (process.platform !== 'linux') throw new BuildError('the native addons are for Linux only');
    const built = flags.gyp ? buildWithGyp(flags) : buildWithCmake(flags);
    say(`built ${built}`);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    if (!flags['if-possible']) {
      say(error.message);
      process.exitCode = 5;
      return;
    }
    say(`the native addon was not built: ${error.message}`);
    say('the script kernel does its work instead, more slowly; npm rebuild qemu-cbt tries again');
  }
}

/**
 * Whether the package as it is has addons that load here, by its own loaders. nbd.node alone missing is worth a build only
 * where libnbd's development files are.
 */
async function allLoad() {
  try {
    const { loadKernel, describeKernel } = await import('../dist/kernel/load.js');
    await loadKernel({ kernel: 'native' });
    say(`nothing to build: ${describeKernel()}`);
  } catch {
    return false;
  }
  try {
    (await import('../dist/backend/nbd/nbdAddon.js')).loadNbdAddon();
    return true;
  } catch (error) {
    if (spawnSync('pkg-config', ['--exists', 'libnbd']).status === 0) return false;
    say(error.message);
    return true;
  }
}

/** The executables of `names` that PATH does not have. */
function missing(names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return names.filter((name) => !folders.some((folder) => existsSync(join(folder, name))));
}

function requireTools(flags, buildTools) {
  const compiler = flags.clang ? ['clang++'] : missing(['c++']).length === 0 ? [] : ['g++'];
  const gone = missing([...compiler, ...buildTools]);
  if (gone.length === 0) return;
  const debian = { 'g++': 'g++', 'clang++': 'clang', cmake: 'cmake', make: 'make', python3: 'python3' };
  const fedora = { 'g++': 'gcc-c++', 'clang++': 'clang', cmake: 'cmake', make: 'make', python3: 'python3' };
  const packages = (of) => gone.map((name) => of[name]).join(' ');
  throw new BuildError(
    `${gone.join(', ')} not found; install with: apt-get install ${packages(debian)} (Debian, Ubuntu), ` +
      `dnf install ${packages(fedora)} (Fedora)`,
  );
}

/** Path of a file inside an installed package. */
function inPackage(name, file) {
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), file);
  } catch {
    throw new BuildError(`the package ${name} is not installed; run npm install`);
  }
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (error) throw new BuildError(`${command} could not be run: ${error.message}`);
  if (status !== 0) throw new BuildError(`${command} ${args[0]} ended with ${status}; its output is above`);
}

function buildWithCmake(flags) {
  requireTools(flags, ['cmake', ...(missing(['ninja']).length === 0 ? [] : ['make'])]);
  const configuration = flags.debug ? 'Debug' : 'Release';
  const folder = flags.sanitize ? 'build-sanitize' : flags.clang ? 'build-clang' : 'build';
  const options = ['--config', configuration, '--out', join(root, folder), '--parallel', `${cpus().length}`];
  if (flags.clang) options.push('--prefer-clang');
  if (flags.sanitize) options.push(`--CDQEMU_CBT_SANITIZE=${flags.sanitize}`);
  run(process.execPath, [inPackage('cmake-js', 'bin/cmake-js'), 'build', ...options]);
  return join(folder, configuration, 'bitmap.node');
}

/**
 * node-gyp always builds in ./build of the folder with binding.gyp, where cmake-js has its own files. So it gets a folder
 * of links, and next to it a folder that looks like an installed Node: headers, and the two settings files it insists on.
 */
function buildWithGyp(flags) {
  requireTools(flags, ['python3', 'make']);
  const stage = join(root, 'build-gyp');
  const headers = join(stage, 'node');
  const include = join(headers, 'include/node');
  mkdirSync(include, { recursive: true });
  // As old as they are, so that make compiles again only what is newer.
  cpSync(inPackage('node-api-headers', 'include'), include, { recursive: true, preserveTimestamps: true });
  const configurations = { Release: { cflags: ['-O3'] }, Debug: { cflags: ['-O0', '-g'] } };
  const defaults = { default_configuration: 'Release', configurations };
  writeFileSync(join(include, 'common.gypi'), `${JSON.stringify({ target_defaults: defaults })}\n`);
  writeFileSync(join(include, 'config.gypi'), `${JSON.stringify({ target_defaults: {}, variables: {} })}\n`);
  for (const name of ['binding.gyp', 'native', 'node_modules', 'package.json']) {
    rmSync(join(stage, name), { force: true });
    if (existsSync(join(root, name))) symlinkSync(join('..', name), join(stage, name));
  }
  const configuration = flags.debug ? 'Debug' : 'Release';
  const args = [
    inPackage('node-gyp', 'bin/node-gyp.js'),
    'configure',
    'build',
    `--nodedir=${headers}`,
    flags.debug ? '--debug' : '--release',
    `--jobs=${cpus().length}`,
  ];
  const env = flags.clang ? { ...process.env, CC: 'clang', CXX: 'clang++' } : process.env;
  run(process.execPath, args, { cwd: stage, env });
  return join('build-gyp/build', configuration, 'bitmap.node');
}

await main();
