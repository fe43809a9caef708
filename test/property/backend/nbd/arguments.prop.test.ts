/** What cannot be, or what the export does not allow, is refused before anything is sent, and harms nothing else. */
import { describe, expect, test } from 'vitest';
import type { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import { FAKE_DISK_BYTES, withFakeDisk } from '../../../helpers/fakeNbdConnection.js';
import { refusalOf } from '../../../helpers/refusal.js';

const RANGE = Float64Array.of(4096, 4096);

describe('arguments', () => {
  test.each<[string, (connection: NbdConnection) => Promise<unknown>]>([
    ['past the end', (c) => c.read(FAKE_DISK_BYTES - 1, 2)],
    ['far past the end', (c) => c.read(2 ** 52, 1)],
    ['a negative offset', (c) => c.read(-1, 1)],
    ['a fraction', (c) => c.read(0.5, 1)],
    ['overlapping ranges', (c) => c.readRanges(Float64Array.of(0, 10, 5, 10))],
    ['descending ranges', (c) => c.readRanges(Float64Array.of(100, 10, 5, 10))],
    ['half a pair', (c) => c.readRanges(Float64Array.of(1, 2, 3))],
    ['an empty range', (c) => c.readRanges(Float64Array.of(1, 0))],
    ['no number', (c) => c.readRanges(Float64Array.of(Number.NaN, 1))],
    ['another array', (c) => c.readRanges([0, 1] as unknown as Float64Array)],
    ['tiny chunks', (c) => c.readRanges(RANGE, { chunkBytes: 1 })],
    ['huge chunks', (c) => c.readRanges(RANGE, { chunkBytes: 2 ** 26 })],
    ['a target of another size', (c) => c.readRanges(RANGE, { into: new Uint8Array(5) })],
    [
      'a shared target of another size',
      (c) => c.readRanges(RANGE, { into: new Uint8Array(new SharedArrayBuffer(5)) }),
    ],
    [
      'a map past the end',
      (c) =>
        c.blockStatus('base:allocation', 'data', {
          startBytes: 0,
          endBytes: FAKE_DISK_BYTES + 1,
          maxRanges: 1,
        }),
    ],
    [
      'a context that was not asked for',
      (c) => c.blockStatus('base:x', 'data', { startBytes: 0, endBytes: 1, maxRanges: 1 }),
    ],
    ['data of another size', (c) => c.writeRanges(RANGE, Buffer.alloc(5))],
  ])('%s: refused', async (_name, ask) => {
    await withFakeDisk(
      { contexts: { 'base:allocation': [{ length: FAKE_DISK_BYTES, flags: 0 }] } },
      async (connection) => {
        expect((await refusalOf(ask(connection))).code).toBe('ERR_CBT_INVALID_ARGUMENT');
        expect((await connection.read(0, 5)).length).toBe(5);
      },
      { contexts: ['base:allocation'] },
    );
  });

  test('4 GiB and more are for a stream', async () => {
    await withFakeDisk({ sizeBytes: 2 ** 33 }, async (connection) => {
      const error = await refusalOf(connection.readRanges(Float64Array.of(0, 2 ** 32 + 1)));
      expect(error.message).toMatch(/at most 4294967296 bytes; read as a stream/);
    });
  });

  test('a change of a read-only export, or one it does not offer, is unsupported', async () => {
    await withFakeDisk({}, async (connection) => {
      expect((await refusalOf(connection.write(0, Buffer.of(1)))).code).toBe('ERR_CBT_UNSUPPORTED');
    });
    await withFakeDisk({ transmissionFlags: 0b1 }, async (connection) => {
      for (const change of [
        connection.zero(RANGE),
        connection.trim(RANGE),
        connection.write(0, Buffer.of(1), { forceUnitAccess: true }),
      ]) {
        expect((await refusalOf(change)).code).toBe('ERR_CBT_UNSUPPORTED');
      }
      await connection.flush();
    });
  });

  test('changes keep to the blocks of the export', async () => {
    const script = { transmissionFlags: 0b1100001, blockSizes: [512, 4096, 65536] as const };
    await withFakeDisk(script, async (connection, server) => {
      for (const change of [
        connection.write(1, Buffer.alloc(512)),
        connection.zero(Float64Array.of(0, 100)),
      ]) {
        expect((await refusalOf(change)).code).toBe('ERR_CBT_INVALID_ARGUMENT');
      }
      await connection.write(512, Buffer.alloc(200_704));
      const writes = server.requests.filter(({ command }) => command === 1);
      expect(writes.every(({ offset, length }) => offset % 512 === 0 && length <= 65536)).toBe(true);
      expect(writes.reduce((sum, { length }) => sum + length, 0)).toBe(200_704);
    });
  });

  test('a view that loses its memory right after the call changes nothing', async () => {
    await withFakeDisk({ transmissionFlags: 0b1 }, async (connection) => {
      const ranges = Float64Array.of(0, 100_000);
      const data = new Uint8Array(100_000);
      const writing = connection.writeRanges(ranges, data);
      structuredClone(null, { transfer: [ranges.buffer, data.buffer] });
      expect(data.length).toBe(0);
      await writing;
      const gone = await refusalOf(connection.writeRanges(Float64Array.of(0, 5), data));
      expect(gone.code).toBe('ERR_CBT_INVALID_ARGUMENT');
    });
  });
});
