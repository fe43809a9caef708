/** Maps that are held in QEMU only while they are asked: given back, opened again, shared, cancelled. */
import { describe, expect, test } from 'vitest';
import type { LiveMap } from '../../../../../lib/backend/qemu/live/liveMap.js';
import { HeldMaps, LivePager } from '../../../../../lib/backend/qemu/live/livePager.js';
import { CbtError } from '../../../../../lib/core/errors.js';
import type { RangePage, Window } from '../../../../../lib/core/rangePage.js';
import { refusalOf } from '../../../../helpers/refusal.js';

const SIZE = 1 << 20;

/** A map that is open until it is closed, and says so. */
class FakeMap {
  closed = false;
  async page({ startBytes, endBytes }: Window): Promise<RangePage> {
    if (this.closed) throw new Error('asked a closed map');
    return { ranges: Float64Array.of(startBytes, endBytes - startBytes), startBytes, nextBytes: endBytes };
  }
  async close(): Promise<void> {
    if (this.closed) throw new Error('closed twice');
    this.closed = true;
  }
  get asMap(): LiveMap {
    return this as unknown as LiveMap;
  }
}

class Opener {
  readonly maps: FakeMap[] = [];
  /** Set: openings wait until they are told how to end. */
  waiting: { resolve: (map: LiveMap) => void; reject: (error: unknown) => void }[] | null = null;

  readonly open = (signal?: AbortSignal): Promise<LiveMap> => {
    if (this.waiting === null) return Promise.resolve(this.make());
    const { waiting } = this;
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      signal?.addEventListener('abort', () => reject(new CbtError('ERR_CBT_ABORTED', 'cancelled')));
    });
  };

  make(): LiveMap {
    const map = new FakeMap();
    this.maps.push(map);
    return map.asMap;
  }

  get open_(): number {
    return this.maps.filter(({ closed }) => !closed).length;
  }
}

function held(): HeldMaps {
  return new HeldMaps('disk', { open: true, ended: new Promise(() => undefined) });
}
const whole = (signal?: AbortSignal): Window => ({ startBytes: 0, endBytes: SIZE, maxRanges: 1e6, signal });
const half: Window = { startBytes: 0, endBytes: SIZE / 2, maxRanges: 1e6 };

describe('a map that can come back', () => {
  test('stays while there is more to read, goes with its end, and comes back', async () => {
    const [opener, maps] = [new Opener(), held()];
    const { pager } = new LivePager(maps, opener.open, opener.make(), { sizeBytes: SIZE, again: true });
    await pager.page(half);
    expect([opener.open_, maps.maps.size]).toEqual([1, 1]);
    await pager.page(whole());
    expect([opener.open_, maps.maps.size]).toEqual([0, 0]);
    expect((await pager.page(whole())).nextBytes).toBe(SIZE);
    expect([opener.maps.length, opener.open_]).toEqual([2, 0]);
  });

  test('is opened once for all who ask at a time, and closed when the last one has read', async () => {
    const [opener, maps] = [new Opener(), held()];
    const live = new LivePager(maps, opener.open, opener.make(), { sizeBytes: SIZE, again: true });
    await live.release();
    opener.waiting = [];
    const asking = [live.pager.page(whole()), live.pager.page(whole())];
    expect(opener.waiting).toHaveLength(1);
    expect(live.busy).toBe(true);
    opener.waiting[0]!.resolve(opener.make());
    await Promise.all(asking);
    expect([opener.maps.length, opener.open_, live.busy]).toEqual([2, 0, false]);
  });

  test('an opening that one asker cancels is done again for the other', async () => {
    const [opener, maps] = [new Opener(), held()];
    const live = new LivePager(maps, opener.open, opener.make(), { sizeBytes: SIZE, again: true });
    await live.release();
    opener.waiting = [];
    const stop = new AbortController();
    const first = refusalOf(live.pager.page(whole(stop.signal)));
    const second = live.pager.page(whole());
    stop.abort();
    expect(await first).toMatchObject({ code: 'ERR_CBT_ABORTED' });
    expect(opener.waiting).toHaveLength(2);
    opener.waiting[1]!.resolve(opener.make());
    expect((await second).nextBytes).toBe(SIZE);
    expect([opener.open_, maps.maps.size]).toEqual([0, 0]);
  });

  test('an old opening that fails does not lose the newer map', async () => {
    const [opener, maps] = [new Opener(), held()];
    const live = new LivePager(maps, opener.open, opener.make(), { sizeBytes: SIZE, again: true });
    await live.release();
    opener.waiting = [];
    const first = refusalOf(live.pager.page(half));
    const released = live.release();
    const second = live.pager.page(half);
    expect(opener.waiting).toHaveLength(2);
    opener.waiting[0]!.reject(new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'gone'));
    opener.waiting[1]!.resolve(opener.make());
    await released;
    expect(await first).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE' });
    await second;
    expect([opener.open_, maps.maps.size]).toEqual([1, 1]);
    await live.release();
    expect([opener.open_, maps.maps.size]).toEqual([0, 0]);
  });

  test('is not opened for a disk that was closed, not even while it was being opened', async () => {
    const [opener, maps] = [new Opener(), held()];
    const live = new LivePager(maps, opener.open, opener.make(), { sizeBytes: SIZE, again: true });
    await live.release();
    opener.waiting = [];
    const asking = live.pager.page(half).catch(() => undefined);
    const closing = maps.close();
    opener.waiting[0]!.resolve(opener.make());
    await Promise.all([closing, asking]);
    expect([opener.open_, maps.maps.size]).toEqual([0, 0]);
    expect(await refusalOf(live.pager.page(whole()))).toMatchObject({ code: 'ERR_CBT_CLOSED' });
    expect(opener.maps).toHaveLength(2);
  });
});

test('a map of a moment that has passed stays to be read again, and is refused once it was given up', async () => {
  const [opener, maps] = [new Opener(), held()];
  const live = new LivePager(maps, opener.open, opener.make(), { sizeBytes: SIZE, again: false });
  await live.pager.page(whole());
  await live.pager.page(whole());
  expect([opener.maps.length, opener.open_]).toEqual([1, 1]);
  await live.release();
  expect(await refusalOf(live.pager.page(whole()))).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
});
