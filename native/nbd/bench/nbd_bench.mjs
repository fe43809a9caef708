// Maps and data over NBD beside their peers, in the same run on the same export:
//   map    beside map_peer.c, a plain libnbd program that asks one request after the other
//   read   beside nbdcopy to nowhere, libnbd's own pipelined copy
// Needs `npm run build`, cc, libnbd-dev, qemu-nbd and nbdcopy. Run: node native/nbd/bench/nbd_bench.mjs [map|read]
import { execFile } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bitmapName, bitsAlternating, makeImage } from '../../../bench/images.mjs';
import { NbdConnection } from '../../../dist/backend/nbd/nbdConnection.js';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const only = process.argv[2] ?? '';
const rounds = Number(process.argv[3] ?? 7);
const TiB = 2 ** 40;
const GRANULE = 65_536;
const work = mkdtempSync(join(tmpdir(), 'cbt-nbd-bench-'));

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const spread = (values) =>
  `${median(values).toFixed(1)} (${Math.min(...values).toFixed(1)}-${Math.max(...values).toFixed(1)})`;

/** Every n-th block dirty: 1 TiB has 2^24 blocks. */
function bitsEvery(count, step) {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (let i = 0; i < count; i += step) bits[i >> 3] |= 1 << (i & 7);
  return bits;
}

async function withServer(args, use) {
  const socket = join(work, 'nbd.sock');
  const pidFile = join(work, 'nbd.pid');
  await run('qemu-nbd', ['--fork', '--pid-file', pidFile, '-t', '-r', '--socket', socket, ...args]);
  const pid = Number.parseInt(await readFile(pidFile, 'utf8'), 10);
  try {
    return await use(socket);
  } finally {
    process.kill(pid, 'SIGTERM');
  }
}

async function map(name, bits) {
  const image = join(work, 'map.qcow2');
  makeImage(image, TiB, bits);
  const bitmap = bitmapName(TiB);
  const context = `qemu:dirty-bitmap:${bitmap}`;
  const peer = join(work, 'map_peer');
  await run('cc', ['-O2', '-o', peer, join(here, 'map_peer.c'), '-lnbd']);
  await withServer(['-B', bitmap, '-e', '4', '-f', 'qcow2', image], async (socket) => {
    const ours = [];
    const theirs = [];
    for (let round = 0; round < rounds; round += 1) {
      const [seconds, count] = (await run(peer, [socket, '', context])).stdout.split(' ').map(Number);
      theirs.push(seconds * 1000);
      const connection = await NbdConnection.open({ kind: 'unix', path: socket }, { contexts: [context] });
      const start = performance.now();
      const page = await connection.blockStatus(context, 'dirty', {
        startBytes: 0,
        endBytes: TiB,
        maxRanges: Infinity,
      });
      ours.push(performance.now() - start);
      if (page.ranges.length / 2 !== count || page.nextBytes !== TiB)
        throw new Error(`${page.ranges.length / 2} ranges, peer ${count}`);
      await connection.close();
    }
    const ratio = median(ours) / median(theirs);
    console.log(
      `map ${name}: ours ${spread(ours)} ms, peer ${spread(theirs)} ms, ratio ${ratio.toFixed(2)} (wanted <= 1.2)`,
    );
  });
}

async function read(name, shared, connections, chunkBytes, lent = true) {
  const size = 2 ** 31;
  const image = join(work, 'data.raw');
  const fd = openSync(image, 'w');
  const block = Buffer.alloc(2 ** 20, 0xa5);
  for (let i = 0; i < size / block.length; i += 1) writeSync(fd, block);
  closeSync(fd);
  await withServer(['-e', String(shared), '-f', 'raw', image], async (socket) => {
    const ours = [];
    const theirs = [];
    for (let round = 0; round < rounds; round += 1) {
      const before = performance.now();
      await run('nbdcopy', [`--connections=${connections}`, `nbd+unix:///?socket=${socket}`, 'null:']);
      theirs.push(size / 1e6 / ((performance.now() - before) / 1000));
      const connection = await NbdConnection.open({ kind: 'unix', path: socket }, { connections });
      const start = performance.now();
      let bytes = 0;
      const whole = Float64Array.of(0, size);
      if (lent) bytes = await connection.forEachPiece(whole, async () => undefined, { chunkBytes });
      else for await (const { data } of connection.stream(whole, { chunkBytes })) bytes += data.length;
      ours.push(size / 1e6 / ((performance.now() - start) / 1000));
      if (bytes !== size) throw new Error(`${bytes} bytes`);
      await connection.close();
    }
    const ratio = median(ours) / median(theirs);
    console.log(
      `read ${name}: ours ${spread(ours)} MB/s, nbdcopy ${spread(theirs)} MB/s, ratio ${ratio.toFixed(2)} (wanted >= 0.9)`,
    );
  });
}

try {
  if ('map'.includes(only)) {
    await map('1 TiB, 200 k extents', bitsEvery(TiB / GRANULE, 168));
    await map('1 TiB, alternating', bitsAlternating(TiB / GRANULE));
  }
  if ('read'.includes(only)) {
    for (const chunk of [256 * 1024, 512 * 1024]) {
      await read(`2 GiB, one connection, ${chunk / 1024} KiB`, 1, 1, chunk);
    }
    await read('2 GiB, one connection, 256 KiB, pieces kept', 1, 1, 256 * 1024, false);
    for (const chunk of [256, 512]) await read(`2 GiB, four connections, ${chunk} KiB`, 8, 4, chunk * 1024);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
