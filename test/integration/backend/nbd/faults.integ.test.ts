/** Servers that are killed or stop at any moment, and processes of ours that end with work under way. */
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import { isGone, startNbdkit, startQemuNbd } from '../../../helpers/nbdServers.js';
import { refusalOf } from '../../../helpers/refusal.js';
import { servedImage } from '../../../helpers/servedImage.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../helpers/temporaryFolder.js';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const ADDON = fileURLToPath(new URL('../../../../build/Release/nbd.node', import.meta.url));

let folder: TemporaryFolder;
let image: string;
beforeEach(async () => {
  folder = await makeTemporaryFolder();
  image = join(folder.path, 'a.raw');
  await writeFile(image, randomBytes(64 * MiB));
});
afterEach(() => folder.remove());

describe('a server killed', () => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('by %s while a stream is read', async (signal) => {
    const server = await startQemuNbd(folder.path, '-r', '-f', 'raw', image);
    const bytes = await readFile(image);
    const connection = await NbdConnection.open({ kind: 'unix', path: server.socket });
    let at = 0;
    const error = await refusalOf(async () => {
      for await (const { offset, data } of connection.stream(Float64Array.of(0, 64 * MiB), {
        queueBytes: MiB,
      })) {
        expect(offset).toBe(at);
        expect(data.equals(bytes.subarray(at, at + data.length))).toBe(true);
        at += data.length;
        if (at > 8 * MiB) await server.stop(signal);
      }
    });
    expect(error).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST', recovery: 'reconnect' });
    expect(at).toBeLessThan(64 * MiB);
    const after = await refusalOf(connection.read(0, 1));
    expect(after.code).toBe('ERR_CBT_CONNECTION_LOST');
    await connection.close();
    expect((await refusalOf(connection.read(0, 1))).code).toBe('ERR_CBT_CLOSED');
  });

  test('while it sits on reads, fails all of them', async () => {
    const server = await startNbdkit(folder.path, '--filter=delay', 'file', image, 'rdelay=30');
    const connection = await NbdConnection.open({ kind: 'unix', path: server.socket });
    const reads = Array.from({ length: 40 }, (_, i) => refusalOf(connection.read(i * MiB, 65536)));
    await server.stop('SIGKILL');
    for (const error of await Promise.all(reads)) expect(error.code).toBe('ERR_CBT_CONNECTION_LOST');
    await connection.close();
  });

  test('that is our own qemu-nbd is an error too, and its end is waited for', async () => {
    const target = await servedImage({ file: image, format: 'raw' });
    const connection = await NbdConnection.open(target);
    const [pid] = await childrenOf(process.pid, 'qemu-nbd', image);
    expect(pid).toBeDefined();
    process.kill(pid!, 'SIGKILL');
    while (!(await isGone(pid!))) await new Promise((resolve) => setImmediate(resolve));
    expect((await refusalOf(connection.read(0, 1))).code).toBe('ERR_CBT_CONNECTION_LOST');
    await connection.close();
    expect(await childrenOf(process.pid, 'qemu-nbd', image)).toEqual([]);
  });
});

test('closing in the middle of reads does not wait for them, nor for our qemu-nbd', async () => {
  const connection = await NbdConnection.open(await servedImage({ file: image, format: 'raw' }));
  const reads = Array.from({ length: 8 }, () =>
    connection.readRanges(Float64Array.of(0, 64 * MiB)).catch((e) => e.code),
  );
  const start = performance.now();
  await connection.close();
  expect(performance.now() - start).toBeLessThan(5000);
  for (const outcome of await Promise.all(reads)) expect(outcome).toBe('ERR_CBT_CLOSED');
  expect(await childrenOf(process.pid, 'qemu-nbd', image)).toEqual([]);
});

test('a stopped server is given up on after the timeout', async () => {
  const server = await startQemuNbd(folder.path, '-r', '-f', 'raw', image);
  try {
    const connection = await NbdConnection.open(
      { kind: 'unix', path: server.socket },
      // Long enough for the read before, on any machine.
      { requestTimeoutMs: 2000 },
    );
    await connection.read(0, 10);
    process.kill(server.pid, 'SIGSTOP');
    const start = performance.now();
    expect((await refusalOf(connection.read(0, 10))).code).toBe('ERR_CBT_TIMEOUT');
    expect(performance.now() - start).toBeLessThan(20_000);
    await connection.close();
    const opening = NbdConnection.open({ kind: 'unix', path: server.socket }, { connectTimeoutMs: 200 });
    expect((await refusalOf(opening)).code).toBe('ERR_CBT_TIMEOUT');
  } finally {
    process.kill(server.pid, 'SIGCONT');
    await server.stop();
  }
});

test('an idle connection waits for nothing and times nothing out', async () => {
  const server = await startQemuNbd(folder.path, '-r', '-f', 'raw', image);
  try {
    const connection = await NbdConnection.open(
      { kind: 'unix', path: server.socket },
      { requestTimeoutMs: 500 },
    );
    // Idle for several times the time-out: what is waited for is the clock itself.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await connection.read(0, 10)).length).toBe(10);
    await connection.close();
  } finally {
    await server.stop();
  }
});

describe('our own process', () => {
  /** A program on the addon alone; `body` has `connect()` and what it gives, and the server's socket. */
  async function node(
    body: string,
    path: string,
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const script = join(folder.path, 'program.cjs');
    await writeFile(
      script,
      `const { NbdConnection } = require(${JSON.stringify(ADDON)});
       const path = ${JSON.stringify(path)}, image = ${JSON.stringify(image)};
       const base = { exportName: '', contexts: [], connections: 1, connectTimeoutMs: 5000, requestTimeoutMs: 0, tls: undefined };
       const connect = async (how = { kind: 'unix', path }) => {
         const connection = new NbdConnection({ ...base, ...how });
         await connection.open();
         return connection;
       };
       const ours = { kind: 'command', arguments: ['qemu-nbd', '-r', '-f', 'raw', image] };
       const all = Float64Array.of(0, ${64 * MiB});
       (async () => { ${body} })();`,
    );
    const child = spawn(process.execPath, ['--expose-gc', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }

  test.each<[string, string]>([
    ['ends by itself with an idle connection', 'await connect();'],
    ['ends by itself with an idle connection to a qemu-nbd of ours', 'await connect(ours);'],
    [
      'ends by itself after a stream that nobody reads on',
      'const c = await connect(); c.startStream(1, all, 65536, 1 << 20); await c.take(1);',
    ],
    [
      'exits in the middle of a read',
      'const c = await connect(); c.read(1, all, 65536, undefined); process.exit(0);',
    ],
    ['exits while connecting', 'connect(); process.exit(0);'],
    ['exits while closing', 'const c = await connect(ours); c.close(); process.exit(0);'],
    [
      'exits while a stream is under way',
      'const c = await connect(ours); c.startStream(1, all, 65536, 1 << 26); c.take(1); process.exit(0);',
    ],
    [
      'forgets connections, and the collector takes them',
      `for (let i = 0; i < 20; i += 1) { const c = await connect(); c.read(1, all, 65536, undefined).catch(() => {}); await c.read(2, Float64Array.of(0, 1), 512, undefined); }
       for (let i = 0; i < 5; i += 1) { gc(); await new Promise((r) => setImmediate(r)); }`,
    ],
    [
      'ends worker threads with connections in them',
      `const { Worker } = require('node:worker_threads');
       for (let i = 0; i < 8; i += 1) {
         const worker = new Worker(
           'const { NbdConnection } = require(' + ${JSON.stringify(JSON.stringify(ADDON))} + ');' +
           'const c = new NbdConnection(require("node:worker_threads").workerData);' +
           'c.open().then(() => { c.read(1, Float64Array.of(0, 1 << 26), 65536, undefined).catch(() => {}); c.startStream(2, Float64Array.of(0, 1 << 26), 65536, 1 << 20); c.take(2).then(() => require("node:worker_threads").parentPort.postMessage(1)); setInterval(() => {}, 1000); });',
           { eval: true, workerData: { ...base, kind: 'unix', path } });
         await new Promise((resolve) => worker.once('message', resolve));
         await worker.terminate();
       }`,
    ],
    [
      'starts many at once and closes them in any order',
      `const all16 = await Promise.all(Array.from({ length: 16 }, (_, i) => connect(i % 4 === 0 ? ours : undefined)));
       await Promise.all(all16.map((c, i) => i % 2 ? c.close() : c.read(1, Float64Array.of(0, 1 << 20), 65536, undefined).then(() => c.close())));`,
    ],
  ])('%s', async (_name, body) => {
    const server = await startQemuNbd(folder.path, '-r', '-e', '0', '-f', 'raw', image);
    try {
      const start = performance.now();
      const { code, stderr } = await node(body, server.socket);
      expect(stderr).toBe('');
      expect(code).toBe(0);
      // Less than the 30 s after which one that hangs is killed.
      expect(performance.now() - start).toBeLessThan(28_000);
      // A server of ours never outlives us; the kernel takes a moment to bury it.
      await vi.waitFor(
        async () => {
          const left = (await allProcesses()).filter(
            ({ line }) => line.includes('qemu-nbd') && line.includes(image),
          );
          expect(left.map(({ pid }) => pid).filter((pid) => pid !== server.pid)).toEqual([]);
        },
        { timeout: 20_000 },
      );
    } finally {
      await server.stop();
    }
  });

  test('killed, takes its qemu-nbd with it', async () => {
    const body = `await connect(ours); process.kill(process.pid, 'SIGKILL');`;
    // No other server: one that is told to end right after its start may not hear it.
    const { code } = await node(body, join(folder.path, 'none'));
    expect(code).toBeNull();
    const served = async () =>
      (await allProcesses()).some(({ line }) => line.includes('qemu-nbd') && line.includes(image));
    while (await served()) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});

test("libnbd's debugging stays off, whatever the environment says", async () => {
  const server = await startQemuNbd(folder.path, '-r', '-f', 'raw', image);
  try {
    const program = `
      const { NbdConnection } = require(${JSON.stringify(ADDON)});
      const c = new NbdConnection({ kind: 'unix', path: ${JSON.stringify(server.socket)}, exportName: '', contexts: [], connections: 1, connectTimeoutMs: 5000, requestTimeoutMs: 0 });
      c.open().then(() => c.read(1, Float64Array.of(0, 512), 512, undefined)).then(() => c.close());`;
    const { stderr } = await run(process.execPath, ['-e', program], {
      env: { ...process.env, LIBNBD_DEBUG: '1' },
    });
    // The handle that exists before it can be told so says one line, about its own making.
    expect(
      stderr.split('\n').filter((line) => !/nbd_create|nbd_set_debug|nbd_close|nbd_get_version/.test(line)),
    ).toEqual(['']);
  } finally {
    await server.stop();
  }
});

interface ProcessLine {
  pid: number;
  parent: number;
  line: string;
}

async function allProcesses(): Promise<ProcessLine[]> {
  const found: ProcessLine[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const line = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]);
    if (line !== '') found.push({ pid, parent, line });
  }
  return found;
}

async function childrenOf(parent: number, program: string, argument: string): Promise<number[]> {
  const all = await allProcesses();
  return all
    .filter(
      (entry) => entry.parent === parent && entry.line.includes(program) && entry.line.includes(argument),
    )
    .map(({ pid }) => pid);
}
