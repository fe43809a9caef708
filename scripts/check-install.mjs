// The packed package in empty projects, as users get it: where a compiler is, where none is but the package has an addon for
// this machine, and where neither is. Each time the command and the library must give one and the same map; npm may or may
// not run install scripts, and none of the three may depend on it.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeImage, PIT } from '../bench/images.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const work = mkdtempSync(join(tmpdir(), 'qemu-cbt-install-'));
const image = join(work, 'disk.qcow2');
const GRANULARITY = 65_536;
/** What npm's scripts and the command's first line need of PATH; no compiler, no cmake, no make. */
const BARE_TOOLS = ['node', 'npm', 'sh', 'env'];

const run = (command, args, options = {}) =>
  execFileSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });

function fail(where, what) {
  throw new Error(`${where}: ${what}`);
}

/** The image, and the areas that its bits mean. */
function makeDisk() {
  const bits = Uint8Array.from({ length: 512 }, (_, at) => (at % 3 === 0 ? 0b0101_1100 : at % 7));
  makeImage(image, bits.length * 8 * GRANULARITY, bits);
  const areas = [];
  for (let at = 0; at < bits.length * 8; at += 1) {
    if (((bits[at >> 3] >> (at & 7)) & 1) === 0) continue;
    const last = areas.at(-1);
    if (last !== undefined && last.start + last.length === at * GRANULARITY) last.length += GRANULARITY;
    else areas.push({ start: at * GRANULARITY, length: GRANULARITY });
  }
  return areas;
}

/** PATH of a machine that has these tools alone. */
function barePath() {
  const folder = join(work, 'bin');
  mkdirSync(folder);
  for (const name of BARE_TOOLS) {
    const found = process.env.PATH.split(delimiter)
      .map((at) => join(at, name))
      .find(existsSync);
    symlinkSync(name === 'node' ? process.execPath : found, join(folder, name));
  }
  return folder;
}

function pack(folder, name) {
  const target = join(work, name);
  mkdirSync(target);
  const [packed] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', target], { cwd: folder }),
  );
  return join(target, packed.filename);
}

/** Installs into an empty project, and answers the folder of the installed package. */
function install(name, tarball, env) {
  const project = join(work, name);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}\n');
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], { cwd: project, env });
  return join(project, 'node_modules/qemu-cbt');
}

/** A project like an installed one, but with what this tarball holds; the packages that it needs are the same. */
function alike(name, installed, tarball) {
  const project = join(work, name);
  cpSync(dirname(dirname(installed)), project, { recursive: true, verbatimSymlinks: true });
  const folder = join(project, 'node_modules/qemu-cbt');
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  run('tar', ['-xzf', tarball, '--strip-components=1', '-C', folder]);
  return folder;
}

const LIBRARY = `
  import { openDisk } from 'qemu-cbt';
  const disk = await openDisk(process.argv[2]);
  const map = await disk.changes({ from: process.argv[3] });
  console.log(JSON.stringify([...(await map.ranges())]));
  await disk.close();
`;

/** Each subpath is there, and has something to give. */
const SUBPATHS = `
  import { readFileSync } from 'node:fs';
  const { name, exports } = JSON.parse(readFileSync('node_modules/qemu-cbt/package.json', 'utf8'));
  for (const [at, { default: code }] of Object.entries(exports)) {
    if (code === undefined) continue;
    const names = Object.keys(await import(name + at.slice(1)));
    if (names.length === 0) throw new Error(at + ' exports nothing');
    console.log(at);
  }
`;

/** Everything that a user would try first; throws where an answer is not the expected one. */
function use(name, installed, env, areas, kernel) {
  const project = dirname(dirname(installed));
  const options = { cwd: project, env };
  const command = join(project, 'node_modules/.bin/qemu-cbt');
  const version = run(command, ['--version'], options).trim();
  if (!/^\d+\.\d+\.\d+$/.test(version)) fail(name, `--version said ${version}`);
  const doctor = run(command, ['doctor'], options).split('\n')[0];
  if (!kernel.test(doctor)) fail(name, `expected ${kernel}, doctor said ${doctor}`);
  const { pits } = JSON.parse(run(command, ['pits', image, '--json'], options));
  if (pits.length !== 1 || pits[0].pit !== PIT) fail(name, `pits said ${JSON.stringify(pits)}`);
  const changes = JSON.parse(run(command, ['changes', image, '--from', PIT, '--json'], options));
  if (JSON.stringify(changes.areas) !== JSON.stringify(areas)) fail(name, 'changes gave another map');
  const file = join(project, 'ask.mjs');
  writeFileSync(file, LIBRARY);
  const ranges = JSON.parse(run('node', [file, image, PIT], options));
  const flat = areas.flatMap(({ start, length }) => [start, length]);
  if (JSON.stringify(ranges) !== JSON.stringify(flat)) fail(name, 'the library gave another map');
  writeFileSync(file, SUBPATHS);
  const subpaths = run('node', [file], options).trim().split('\n');
  console.log(`${name}: ${doctor}; ${areas.length} areas, all as written; ${subpaths.join(' ')}`);
}

try {
  const areas = makeDisk();
  const prebuilt = join(root, 'prebuilds', `linux-${process.arch}`, 'bitmap.node');
  // Where the addons that ship were not made, this machine's own build takes their place.
  if (!existsSync(prebuilt)) run('node', ['scripts/prebuild.mjs', '--arch', process.arch]);
  const full = pack(root, 'full');
  const unpacked = join(work, 'unpacked');
  mkdirSync(unpacked);
  run('tar', ['-xzf', full, '-C', unpacked]);
  rmSync(join(unpacked, 'package/prebuilds'), { recursive: true });
  const bare = pack(join(unpacked, 'package'), 'without-prebuilds');

  const { QEMU_CBT_KERNEL: _kernel, QEMU_CBT_ADDON_PATH: _addon, ...env } = process.env;
  const noCompiler = { ...env, PATH: barePath() };

  const scripted = install('neither', bare, noCompiler);
  // As an npm that runs install scripts would: it must not fail where nothing can be built.
  run('npm', ['run', 'install'], { cwd: scripted, env: noCompiler });
  use('neither compiler nor prebuilt addon', scripted, noCompiler, areas, /^kernel: script /);

  const shipped = alike('prebuilt', scripted, full);
  run('npm', ['run', 'install'], { cwd: shipped, env: noCompiler });
  if (existsSync(join(shipped, 'build'))) fail('prebuilt', 'something was built');
  use('prebuilt addon, no compiler', shipped, noCompiler, areas, /^kernel: (avx2|portable) .*\/prebuilds\//);

  const built = alike('compiler', scripted, bare);
  run('npm', ['run', 'install'], { cwd: built, env });
  use('compiler, no prebuilt addon', built, env, areas, /^kernel: (avx2|portable) .*\/build\/Release\//);
} finally {
  rmSync(work, { recursive: true, force: true });
}
