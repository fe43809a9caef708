// Compiled programs on libvixDiskLib: nbdkit's vddk plugin, unmodified, beside nbdkit's own nbd plugin in front of a qemu-nbd, both read
// through by nbdcopy over one connection; and how long a program waits for VixDiskLib_InitEx.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { summary } from './measure.mjs';

const exec = promisify(execFile);
const root = resolve(fileURLToPath(import.meta.url), '../..');
const LIBDIR = join(root, 'build/Release/sdk');
const RUNS = 7;

export async function compiledCases(work, only = '') {
  if (!'compiled'.includes(only)) return [];
  const folder = join(work, 'compiled');
  await mkdir(folder);
  try {
    const image = join(folder, 'disk.qcow2');
    await exec('qemu-img', ['create', '-q', '-f', 'qcow2', image, '2G']);
    await exec('qemu-io', ['-c', 'write -q -P 5 0 512M', '-c', 'write -q -P 6 1G 512M', image]);
    return [await copyCase(folder, image), await beginCase()];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of nbdcopy alone: what is in front of it has started. */
async function copied(args) {
  const copy = 's=$(date +%s%N); nbdcopy --connections=1 $uri null:; echo $(( $(date +%s%N) - s ))';
  const { stdout } = await exec('nbdkit', ['-r', '-U', '-', ...args, '--run', copy]);
  return Number(stdout) / 1e6;
}

async function copyCase(folder, image) {
  const plugin = (await exec(process.execPath, [join(root, 'scripts/vddk-plugin.mjs')])).stdout.trim();
  const socket = join(folder, 's');
  const server = spawn('qemu-nbd', ['-r', '-t', '-f', 'qcow2', '--shared=4', '-k', socket, image]);
  try {
    while (!existsSync(socket)) await new Promise((done) => setTimeout(done, 20));
    const [ours, peer] = [[], []];
    for (let i = -1; i < RUNS; i += 1) {
      const one = await copied([plugin, `libdir=${LIBDIR}`, `file=${image}`]);
      const other = await copied(['nbd', `uri=nbd+unix:///?socket=${socket}`]);
      if (i >= 0) ours.push(one);
      if (i >= 0) peer.push(other);
    }
    const [a, b] = [summary(ours), summary(peer)];
    const ratio = b.median / a.median;
    return {
      case: 'nbdkit vddk + libvixDiskLib, 1 GiB of data, nbdcopy',
      ours: a,
      peer: b,
      note: `${ratio.toFixed(2)}x of nbdkit's nbd`,
      wanted: 'at least 0.9x',
      holds: ratio >= 0.9,
    };
  } finally {
    server.kill();
  }
}

/** Of one process after the other, as programs are started. */
async function beginCase() {
  const program = `
import ctypes, sys, time
lib = ctypes.CDLL(sys.argv[1])
lib.VixDiskLib_InitEx.restype = ctypes.c_uint64
began = time.monotonic()
assert lib.VixDiskLib_InitEx(8, 0, None, None, None, None, None) == 0
print((time.monotonic() - began) * 1000)
lib.VixDiskLib_Exit()`;
  const values = [];
  for (let i = -2; i < RUNS; i += 1) {
    const args = ['-c', program, join(LIBDIR, 'lib64/libvixDiskLib.so.8')];
    const { stdout } = await exec('/usr/bin/python3', args);
    if (i >= 0) values.push(Number(stdout));
  }
  const ours = summary(values);
  return { case: 'VixDiskLib_InitEx', ours, wanted: 'at most 100 ms', holds: ours.median <= 100 };
}
