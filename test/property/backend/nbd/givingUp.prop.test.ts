/** Whoever gives up, closes or leaves early is let go at once, and the others are not held up. */
import { describe, expect, test } from 'vitest';
import type { NbdConnection } from '../../../../lib/backend/nbd/nbdConnection.js';
import { FAKE_DISK_BYTES, fakeDiskContent, withFakeDisk } from '../../../helpers/fakeNbdConnection.js';
import type { FakeNbdScript } from '../../../helpers/fakeNbdServer.js';
import { refusalOf } from '../../../helpers/refusal.js';

const RANGE = Float64Array.of(4096, 4096);

describe('giving up', () => {
  const hanging: Partial<FakeNbdScript> = {
    contexts: { 'base:allocation': [{ length: FAKE_DISK_BYTES, flags: 0 }] },
    transmissionFlags: 0b1,
    read: () => 'hang',
    status: () => 'hang',
    change: () => 'hang',
  };
  const window = { startBytes: 0, endBytes: FAKE_DISK_BYTES, maxRanges: 1 };

  test.each<[string, (c: NbdConnection, signal: AbortSignal) => Promise<unknown>]>([
    ['a map', (c, signal) => c.blockStatus('base:allocation', 'data', { ...window, signal })],
    ['a read', (c, signal) => c.read(0, 100, { signal })],
    ['a write', (c, signal) => c.write(0, Buffer.alloc(100), { signal })],
    ['a stream', async (c, signal) => c.stream(RANGE, { signal }).next()],
    ['pieces that are lent', (c, signal) => c.forEachPiece(RANGE, async () => undefined, { signal })],
    ['a write stream', (c, signal) => c.writeStream([{ offset: 0, data: Buffer.alloc(9) }], { signal })],
  ])('%s ends within 100 ms though the server is silent, and so does the connection', async (_name, ask) => {
    await withFakeDisk(
      hanging,
      async (connection) => {
        const controller = new AbortController();
        const asking = refusalOf(ask(connection, controller.signal));
        await new Promise((resolve) => setTimeout(resolve, 20));
        const start = performance.now();
        controller.abort(new Error('enough'));
        const error = await asking;
        expect(performance.now() - start).toBeLessThan(100);
        expect(error.code).toBe('ERR_CBT_ABORTED');
        expect(error.cause).toMatchObject({ message: 'enough' });
        const closing = performance.now();
        await connection.close();
        expect(performance.now() - closing).toBeLessThan(100);
      },
      { contexts: ['base:allocation'] },
    );
  });

  test('an opening ends too', async () => {
    const controller = new AbortController();
    const opening = refusalOf(
      withFakeDisk({ option: () => 'hang' }, async () => {}, { signal: controller.signal }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = performance.now();
    controller.abort();
    expect((await opening).code).toBe('ERR_CBT_ABORTED');
    expect(performance.now() - start).toBeLessThan(100);
  });

  test('one job that is given up leaves the others alone, and its memory safe', async () => {
    const script: Partial<FakeNbdScript> = {};
    await withFakeDisk(script, async (connection) => {
      for (let i = 0; i < 50; i += 1) {
        const controller = new AbortController();
        const given = connection.readRanges(Float64Array.of(0, FAKE_DISK_BYTES), {
          signal: controller.signal,
        });
        const kept = connection.read(i * 100, 100);
        controller.abort();
        expect((await refusalOf(given)).code).toBe('ERR_CBT_ABORTED');
        expect((await kept).equals(fakeDiskContent(i * 100, 100))).toBe(true);
      }
    });
  });

  test('closing ends what runs with ERR_CBT_CLOSED, and everything after it', async () => {
    await withFakeDisk(hanging, async (connection) => {
      const running = [
        refusalOf(connection.read(0, 100)),
        refusalOf(connection.stream(RANGE).next()),
        refusalOf(connection.write(0, Buffer.of(1))),
      ];
      await connection.close();
      await connection.close();
      for (const error of await Promise.all(running)) expect(error.code).toBe('ERR_CBT_CLOSED');
      expect((await refusalOf(connection.read(0, 1))).code).toBe('ERR_CBT_CLOSED');
      expect((await refusalOf(connection.stream(RANGE).next())).code).toBe('ERR_CBT_CLOSED');
      expect((await refusalOf(connection.flush())).code).toBe('ERR_CBT_CLOSED');
    });
  });

  test('a stream that is left early frees the connection for others', async () => {
    await withFakeDisk({}, async (connection) => {
      for (let i = 0; i < 20; i += 1) {
        for await (const _ of connection.stream(Float64Array.of(0, FAKE_DISK_BYTES), { chunkBytes: 4096 }))
          break;
      }
      expect((await connection.read(5, 5)).equals(fakeDiskContent(5, 5))).toBe(true);
    });
  });
});
