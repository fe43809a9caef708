// Runs a command with a newer QEMU in front of PATH: Debian's own backport, downloaded by apt and unpacked under
// node_modules/.cache without being installed. Where the system's QEMU is as new, or is not Debian 12's, the command
// runs as it is.
//   node scripts/newer-qemu.mjs npx vitest run test/integration/live
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackPackages } from './debian-packages.mjs';

const SUITE = 'bookworm-backports';
const PACKAGES = ['qemu-system-x86', 'qemu-system-common', 'qemu-system-data', 'qemu-utils', 'seabios'];
const cache = resolve(dirname(fileURLToPath(import.meta.url)), '../node_modules/.cache/qemu-cbt');
const ready = join(cache, 'qemu-backport-1');

const isBookworm =
  existsSync('/etc/os-release') && /VERSION_CODENAME=bookworm/.test(readFileSync('/etc/os-release', 'utf8'));
if (isBookworm && !existsSync(ready))
  unpackPackages(ready, { suite: SUITE, components: 'main', packages: PACKAGES });
const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error('no command given');
const env = { ...process.env };
if (isBookworm) env.PATH = `${join(ready, 'usr/bin')}:${env.PATH}`;
const { status } = spawnSync(command, args, { stdio: 'inherit', env });
process.exitCode = status ?? 1;
