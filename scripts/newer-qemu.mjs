// Runs a command with a newer QEMU in front of PATH: Debian's own backport, downloaded by apt and unpacked under
// node_modules/.cache without being installed. Where the system's QEMU is as new, or is not Debian 12's, the command
// runs as it is.
//   node scripts/newer-qemu.mjs npx vitest run test/integration/live
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const SUITE = 'bookworm-backports';
const PACKAGES = ['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'qemu-utils', 'seabios'];
const cache = resolve(dirname(fileURLToPath(import.meta.url)), '../node_modules/.cache/qemu-cbt');
const ready = join(cache, 'qemu-backport-1');

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit ${status}`}`);
}

/** Everything apt needs in a folder of its own: the system's sources and lists stay as they are. */
function download(work) {
  for (const folder of ['lists/partial', 'archives/partial', 'packages'])
    mkdirSync(join(work, folder), { recursive: true });
  const sources = join(work, 'sources.list');
  writeFileSync(
    sources,
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${SUITE} main\n`,
  );
  const own = [
    '-qq',
    '-o',
    `Dir::Etc::sourcelist=${sources}`,
    '-o',
    'Dir::Etc::sourceparts=-',
    '-o',
    `Dir::State::lists=${work}/lists`,
    '-o',
    `Dir::Cache=${work}`,
    '-o',
    'APT::Sandbox::User=root',
  ];
  run('apt-get', [...own, 'update']);
  run('apt-get', [...own, 'download', ...PACKAGES.map((name) => `${name}/${SUITE}`)], {
    cwd: join(work, 'packages'),
  });
  const files = join(work, 'files');
  for (const name of readdirSync(join(work, 'packages')))
    run('dpkg-deb', ['-x', join(work, 'packages', name), files]);
  return files;
}

function prepare() {
  if (existsSync(ready)) return;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'qemu-backport-'));
  try {
    renameSync(download(work), ready);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

const isBookworm =
  existsSync('/etc/os-release') && /VERSION_CODENAME=bookworm/.test(readFileSync('/etc/os-release', 'utf8'));
if (isBookworm) prepare();
const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error('no command given');
const env = { ...process.env };
if (isBookworm) env.PATH = `${join(ready, 'usr/bin')}:${env.PATH}`;
const { status } = spawnSync(command, args, { stdio: 'inherit', env });
process.exitCode = status ?? 1;
