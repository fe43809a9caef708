// Prints the path of nbdkit's vddk plugin, as Debian builds it: that of this machine, else the one of Debian trixie's contrib, downloaded
// and unpacked under node_modules/.cache without being installed. It loads into older versions of nbdkit too.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackPackages } from './debian-packages.mjs';

const cache = resolve(fileURLToPath(import.meta.url), '../../node_modules/.cache/qemu-cbt');
const PLUGIN = 'usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-vddk-plugin.so';

const ready = join(cache, 'vddk-plugin-1');
const installed = join('/', PLUGIN);
if (!existsSync(installed) && !existsSync(ready))
  unpackPackages(ready, { suite: 'trixie', components: 'contrib', packages: ['nbdkit-plugin-vddk'] });
console.log(existsSync(installed) ? installed : join(ready, PLUGIN));
