/** What is the script kernel's own: its turns on the event loop, and locks read from /proc/locks. */
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BitmapSegment } from '../../lib/core/bitmapKernel.js';
import type { Window } from '../../lib/core/rangePage.js';
import { lockState } from '../../lib/kernel/script/lockState.js';
import { heldLocks } from '../../lib/kernel/script/lockTable.js';
import { scriptKernel as kernel } from '../helpers/kernels.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

describe('long work', () => {
  const bytes = new Uint8Array(4 << 20);
  for (let i = 0; i < bytes.length; i += 16) bytes[i] = 1;
  const segment: BitmapSegment = { granularityBytes: 512, bits: { kind: 'memory', bytes } };
  const endBytes = bytes.length * 8 * 512;
  const window = { startBytes: 0, endBytes, maxRanges: Number.POSITIVE_INFINITY };
  const numbers = new Float64Array(1 << 19);
  for (let i = 0; i < numbers.length; i += 2) numbers.set([i * 4096, 4096], i);

  const calls: [string, (w: Window) => Promise<unknown>][] = [
    ['scanBitmaps', (w) => kernel.scanBitmaps([segment], 512, w)],
    ['countBitmaps', (w) => kernel.countBitmaps([segment], 512, w)],
    ['paintRanges', (w) => kernel.paintRanges(numbers, 512, w)],
    ['union', (w) => kernel.union(numbers, numbers, w)],
    ['clip', (w) => kernel.clip(numbers, w)],
    ['align', (w) => kernel.align(numbers, 512, w)],
    ['split', (w) => kernel.split(numbers, 512, w)],
  ];

  it.each(calls)('%s ends at its next rest when its signal is aborted', async (_, call) => {
    const controller = new AbortController();
    let turns = 0;
    let timer = setImmediate(function turn() {
      turns += 1;
      controller.abort();
      timer = setImmediate(turn);
    });
    const { signal } = controller;
    await expect(call({ ...window, signal })).rejects.toMatchObject({ code: 'ERR_CBT_ABORTED' });
    clearImmediate(timer);
    expect(turns).toBeLessThanOrEqual(2);
  });

  it.each(calls)('%s lets the event loop turn', async (_, call) => {
    let turns = 0;
    let timer = setImmediate(function turn() {
      turns += 1;
      timer = setImmediate(turn);
    });
    await call(window);
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(2);
  });
});

describe('the list of locks', () => {
  const file = { major: 0xfe, minor: 0, inode: 2146420n };

  it('finds locks of the file by device and inode', () => {
    const table = [
      '1: OFDLCK ADVISORY  READ -1 fe:00:2146420 203 203',
      '2: OFDLCK ADVISORY  WRITE -1 fe:00:2146420 100 101',
      '3: POSIX  ADVISORY  WRITE 4711 fe:00:2146420 0 EOF',
      '4: OFDLCK ADVISORY  READ -1 fe:00:2146421 101 101',
      '5: OFDLCK ADVISORY  READ -1 fe:01:2146420 101 101',
      '6: OFDLCK ADVISORY  READ -1 fd:00:2146420 101 101',
      '',
    ].join('\n');
    expect(heldLocks(table, file)).toEqual([
      { firstByte: 203, lastByte: 203 },
      { firstByte: 100, lastByte: 101 },
      { firstByte: 0, lastByte: Number.POSITIVE_INFINITY },
    ]);
  });

  it('leaves out who waits, and locks of other kinds', () => {
    const table = [
      '1: POSIX  ADVISORY  READ  1 fe:00:2146420 0 0',
      '1: -> OFDLCK ADVISORY  WRITE -1 fe:00:2146420 101 101',
      '1:  -> POSIX  ADVISORY  WRITE 7 fe:00:2146420 101 101',
      '2: FLOCK  ADVISORY  WRITE 7 fe:00:2146420 0 EOF',
      '3: LEASE  ACTIVE    READ  7 fe:00:2146420 0 EOF',
      '4: DELEG  ACTIVE    READ  7 fe:00:2146420 0 EOF',
      '5: POSIX  *NOINODE* WRITE 7 <none>:0 0 EOF',
    ].join('\n');
    expect(heldLocks(table, file)).toEqual([{ firstByte: 0, lastByte: 0 }]);
  });

  it('takes devices and inodes of many digits', () => {
    const large = { major: 0x103, minor: 0xabcde, inode: 2n ** 64n - 1n };
    const table = '1: OFDLCK ADVISORY  WRITE -1 103:abcde:18446744073709551615 101 101\n';
    expect(heldLocks(table, large)).toHaveLength(1);
    expect(heldLocks(table, { ...large, inode: 2n ** 64n - 2n })).toHaveLength(0);
  });
});

describe('locks that cannot be known', () => {
  const unknown = { code: 'ERR_CBT_UNSUPPORTED', message: expect.stringContaining('native addon') };

  it('refuses a file system that shows other numbers in the list than in fstat', async () => {
    const handle = await open('/proc/self/status', 'r');
    try {
      await expect(kernel.lockState(handle.fd)).rejects.toMatchObject(unknown);
    } finally {
      await handle.close();
    }
  });

  it('refuses when there is no list', async () => {
    const path = join(folder.path, 'file');
    writeFileSync(path, '');
    const handle = await open(path, 'r');
    try {
      await expect(lockState(handle.fd, join(folder.path, 'absent'))).rejects.toMatchObject(unknown);
      expect(await lockState(handle.fd, path)).toEqual({ writer: false, writersForbidden: false });
    } finally {
      await handle.close();
    }
  });

  it('finds each of the lock bytes, and only those, at the file by its own numbers', async () => {
    const path = join(folder.path, 'locked');
    const table = join(folder.path, 'locks');
    writeFileSync(path, '');
    const handle = await open(path, 'r');
    try {
      const { dev, ino } = await handle.stat({ bigint: true });
      const major = ((dev >> 8n) & 0xfffn).toString(16).padStart(2, '0');
      const minor = ((dev & 0xffn) | ((dev >> 12n) & 0xfff00n)).toString(16).padStart(2, '0');
      for (const [range, writer, writersForbidden] of [
        ['100 100', false, false],
        ['101 101', true, false],
        ['102 102', false, false],
        ['103 103', true, false],
        ['104 200', false, false],
        ['201 201', false, true],
        ['202 EOF', false, false],
        ['100 203', true, true],
        ['0 EOF', true, true],
      ] as const) {
        writeFileSync(table, `1: OFDLCK ADVISORY  READ -1 ${major}:${minor}:${ino} ${range}\n`);
        expect(await lockState(handle.fd, table), range).toEqual({ writer, writersForbidden });
      }
    } finally {
      await handle.close();
    }
  });
});
