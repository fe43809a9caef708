/** The addon as a library in a process: threads, cancelling, memory. What it answers, the contract suites say. */
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, vi } from 'vitest';
import type { BitmapSegment } from '../../../lib/core/bitmapKernel.js';
import { loadKernel } from '../../../lib/kernel/load.js';

const addon = join(resolve(import.meta.dirname, '../../..'), 'build/Release/bitmap.node');
const kernel = await loadKernel({ kernel: 'native' });
const ALL = Number.POSITIVE_INFINITY;
const MIB = 2 ** 20;

function stripes(byteCount: number, shared = false): BitmapSegment {
  const bytes = shared ? new Uint8Array(new SharedArrayBuffer(byteCount)) : new Uint8Array(byteCount);
  return { granularityBytes: 512, bits: { kind: 'memory', bytes: bytes.fill(0x55) } };
}

const diskOf = (byteCount: number) => byteCount * 8 * 512;

/** A worker that loads the addon and scans stripes `rounds` times; it says how many ranges it saw. */
const WORKER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const addon = require(workerData.addon);
  const bytes = new Uint8Array(workerData.byteCount).fill(0x55);
  const segments = [{ granularityBytes: 512, bits: { kind: 'memory', bytes } }];
  parentPort.postMessage('started');
  (async () => {
    let ranges = 0;
    for (let i = 0; i < workerData.rounds; i += 1) {
      const page = await addon.scanBitmaps(segments, 512, 0, bytes.length * 4096, Infinity, undefined);
      ranges += page.ranges.length / 2;
    }
    parentPort.postMessage({ ranges, path: addon.path });
  })();
`;

function startWorker(byteCount: number, rounds: number, env?: Record<string, string>): Worker {
  return new Worker(WORKER, {
    eval: true,
    workerData: { addon, byteCount, rounds },
    ...(env && { env: { ...process.env, ...env } }),
  });
}

describe('threads', () => {
  it('loads into several workers at once, each with its own settings', async () => {
    const workers = ['portable', 'portable', kernel.path].map((simd) =>
      startWorker(1000, 50, { QEMU_CBT_SIMD: simd }),
    );
    const said = await Promise.all(
      workers.map(
        (worker) =>
          new Promise((done, fail) => {
            worker.on('error', fail);
            worker.on('message', (message) => {
              if (message !== 'started') done(message);
            });
          }),
      ),
    );
    expect(said).toEqual([
      { ranges: 200_000, path: 'portable' },
      { ranges: 200_000, path: 'portable' },
      { ranges: 200_000, path: kernel.path },
    ]);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it('lets a worker be terminated while it works, again and again', async () => {
    for (let i = 0; i < 8; i += 1) {
      const worker = startWorker(4 * MIB, 1000);
      await once(worker, 'message');
      expect(await worker.terminate()).toBe(1);
    }
    // And the process is fit for work afterwards.
    const page = await kernel.scanBitmaps([stripes(8)], 512, {
      startBytes: 0,
      endBytes: diskOf(8),
      maxRanges: ALL,
    });
    expect(page.ranges.length).toBe(64);
  });

  it('answers many calls at once', async () => {
    const segment = stripes(4096);
    const window = { startBytes: 0, endBytes: diskOf(4096), maxRanges: ALL };
    const pages = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        kernel.scanBitmaps([segment], 512, { ...window, startBytes: i * 1024 }),
      ),
    );
    pages.forEach((page, i) => {
      expect(page.ranges.length / 2).toBe(16384 - i);
    });
  });

  it('does not hold up the event loop', async () => {
    const segment = stripes(32 * MIB, true);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    const window = { startBytes: 0, endBytes: diskOf(32 * MIB) };
    for (let i = 0; i < 10; i += 1) await kernel.countBitmaps([segment], 512, window);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });
});

describe('cancelling', () => {
  it('ends a long call soon, with the reason as the cause', async () => {
    // Gigabytes of bits: it takes seconds.
    const segment = stripes(MIB, true);
    const many = Array.from({ length: 20_000 }, () => segment);
    const controller = new AbortController();
    const call = kernel.countBitmaps(many, 512, {
      startBytes: 0,
      endBytes: diskOf(MIB),
      signal: controller.signal,
    });
    const outcome = call.then(
      () => 'finished',
      (error: unknown) => error,
    );
    await new Promise((done) => setTimeout(done, 20));
    const aborted = performance.now();
    controller.abort(new Error('enough'));
    expect(await outcome).toMatchObject({ code: 'ERR_CBT_ABORTED', cause: { message: 'enough' } });
    expect(performance.now() - aborted).toBeLessThan(1000);
  });

  it('leaves no listener on a signal that outlives the call', async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await kernel.clip(Float64Array.of(0, 5), { startBytes: 0, endBytes: 9, maxRanges: 1, signal });
    await expect(
      kernel.clip(Float64Array.of(0, -5), { startBytes: 0, endBytes: 9, maxRanges: 1, signal }),
    ).rejects.toThrow();
    expect(added).toHaveBeenCalledTimes(2);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });
});

describe('memory', () => {
  const rss = () => process.memoryUsage().rss;

  it('hands the answer out without a copy: 16 bytes a range and a few MiB', async () => {
    const segment = stripes(2 * MIB, true);
    const window = { startBytes: 0, endBytes: diskOf(2 * MIB), maxRanges: ALL };
    const before = rss();
    const page = await kernel.scanBitmaps([segment], 512, window);
    const grown = rss() - before;
    expect(page.ranges.length / 2).toBe(8 * MIB);
    expect(page.ranges.buffer.byteLength).toBe(page.ranges.byteLength);
    expect(grown).toBeLessThan(16 * 8 * MIB + 8 * MIB);
  });

  it('is the same after 10,000 calls that answer and 10,000 that refuse', async () => {
    const segment = stripes(512);
    const window = { startBytes: 0, endBytes: diskOf(512), maxRanges: ALL };
    const ranges = Float64Array.from({ length: 2000 }, (_, i) => (i % 2 === 0 ? i * 100 : 50));
    const round = async () => {
      const page = await kernel.scanBitmaps([segment], 512, window);
      await kernel.union(page.ranges, ranges, window);
      await kernel.paintRanges(ranges, 512, { startBytes: 0, endBytes: 200_000 });
      await kernel.scanBitmaps([segment], 513, window).catch(() => undefined);
      await kernel.union(Float64Array.of(1, 0), ranges, window).catch(() => undefined);
    };
    for (let i = 0; i < 1000; i += 1) await round();
    const before = rss();
    for (let i = 0; i < 10_000; i += 1) await round();
    expect(rss() - before).toBeLessThan(48 * MIB);
  });

  it('says that an answer would be too large instead of trying', async () => {
    const window = { startBytes: 0, endBytes: 2 ** 53 - 1, maxRanges: ALL };
    await expect(
      kernel.split(Float64Array.of(0, 2 ** 53 - 1), 512, { ...window, maxRanges: 5 }),
    ).resolves.toMatchObject({
      nextBytes: 5 * 512,
    });
    await expect(kernel.paintRanges(new Float64Array(0), 512, window)).rejects.toMatchObject({
      code: 'ERR_CBT_UNSUPPORTED',
      details: { limitBytes: 2 ** 32 },
    });
  });
});
