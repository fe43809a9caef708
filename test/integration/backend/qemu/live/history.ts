/** One random history of two disks of a running QEMU, and what must hold after every step of it. */
import { expect } from 'vitest';
import { CbtError } from '../../../../../lib/core/errors.js';
import type { TrackedDisk } from '../../../../../lib/core/trackedDisk.js';
import { openData } from '../../../../../lib/host/data.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { PAGE, seededRandom } from '../../../../helpers/guestWriter.js';
import {
  BLOCK,
  type HistoryDisk,
  type Moment,
  NOISE,
  whatIsMissing,
  whatIsTooMuch,
} from '../../../../helpers/historyDisk.js';
import { HISTORY_SIZES, LiveGuest } from '../../../../helpers/liveGuest.js';

const STEPS = Number(process.env['LIVE_STEPS'] ?? 18);

interface Point {
  pit: string;
  moments: Map<string, Moment>;
}

export class History {
  readonly log: string[] = [];
  readonly #random: (below: number) => number;
  readonly #guest: LiveGuest;
  #points: Point[] = [];
  /** Points that must never answer again. */
  #dead: string[] = [];
  /** Points whose segments are in the image files, where a kill leaves its trace: all of them at a clean stop. */
  #stored = new Set<string>();
  #shrunk = false;

  constructor(folder: string, seed: number) {
    this.#random = seededRandom(seed);
    this.#guest = new LiveGuest(folder, this.#random);
  }

  async run(): Promise<void> {
    await this.#guest.createImages();
    await this.#guest.start();
    try {
      await this.#session(true);
      for (let step = 0; step < STEPS; step += 1) await this.#step();
      await this.#restart();
    } finally {
      await Promise.all(this.#guest.writers.map((writer) => writer.stop()));
      await this.#guest.vm.close();
      await this.#guest.daemon[Symbol.asyncDispose]();
    }
  }

  async #step(): Promise<void> {
    await this.#guest.writes();
    const draw = this.#random(100);
    if (draw < 40) await this.#session(true);
    else if (draw < 52) await this.#session(false);
    else if (draw < 66) await this.#forget();
    else if (draw < 82) await this.#resize();
    else if (draw < 92) await this.#restart();
    else await this.#kill();
  }

  // ---- steps ----

  async #session(commit: boolean): Promise<void> {
    const mode = this.#random(3) === 0 ? 'overlay' : 'fleece';
    this.log.push(`${commit ? 'commit' : 'rollback'} (${mode})`);
    const marks = this.#guest.writers.map((writer) => writer.mark());
    const surely = this.#guest.disks.map((disk) => disk.touches.length);
    const session = await this.#guest.vm.begin({
      mode,
      nbdSocket: this.#guest.daemon.nbdPath,
      scratch: { folder: this.#guest.folder },
    });
    const after = this.#guest.writers.map((writer) => writer.mark());
    const newest = this.#points.at(-1);
    for (const { disk, verdict, base } of session.disks) {
      const expected =
        newest === undefined ? { verdict: 'full' } : { verdict: 'incremental', base: newest.pit };
      expect({ disk, verdict, base }, this.log.join(', ')).toMatchObject({ disk, ...expected });
    }
    const point: Point = { pit: session.pit, moments: new Map() };
    for (const [index, disk] of this.#guest.disks.entries()) {
      const maybe = disk.touches.length;
      const writer = this.#guest.writers[index]!;
      const { unsafeExportUri: uri } = session.disks.find((one) => one.disk === disk.name)!;
      await using shown = await openData({ kind: 'uri', uri: uri! });
      expect(shown.info.sizeBytes).toBe(disk.sizeBytes);
      const bytes = await shown.readRanges(disk.zones());
      const pages = disk.pagesOf(bytes);
      const noise = await shown.read(NOISE.zoneBytes, NOISE.pages * PAGE);
      expect(writer.whyNotBetween(noise, marks[index]!, after[index]!)).toBeNull();
      for (const offset of disk.quietPages())
        expect(pages.get(offset) ?? 0, `quiet page at ${offset}`).toBe(disk.pages.get(offset) ?? 0);
      const moment = { sizeBytes: disk.sizeBytes, pages, surely: surely[index]!, maybe };
      point.moments.set(disk.name, moment);

      const tracked = await session.openDisk(disk.name);
      for (const older of this.#some(this.#points)) await this.#compare(tracked, disk, older, point);
      await this.#stayDead(tracked);
      await writer.progress(5);
      expect((await shown.readRanges(disk.zones())).equals(bytes)).toBe(true);
    }
    await session.check();
    // Below an overlay the images are closed for writing, and have all their bitmaps in the file.
    if (mode === 'overlay') this.#stored = new Set(this.#points.map(({ pit }) => pit));
    if (commit) {
      const { disks } = await session.commit();
      expect(disks.map(({ error }) => error)).toEqual([undefined, undefined]);
      if (mode === 'overlay') this.#stored.add(point.pit);
      this.#points.push(point);
      this.#shrunk = false;
    } else {
      const { disks } = await session.rollback();
      this.#dead.push(point.pit);
      if (disks.some(({ error }) => error !== undefined)) {
        // Only the point told that the disks shrank: no history is left, and no base either.
        expect(disks.map(({ error }) => error?.reason)).toEqual(['SIZE', 'SIZE']);
        expect(this.#shrunk, this.log.join(', ')).toBe(true);
        this.#dead.push(...this.#points.map(({ pit }) => pit));
        this.#points = [];
        this.#stored.clear();
        this.#shrunk = false;
        return;
      }
      // What the point before had recorded went into a new segment.
      this.#stored.delete(newest?.pit ?? '');
    }
  }

  async #forget(): Promise<void> {
    const { length } = this.#points;
    if (length < 2) return;
    const index = this.#random(length);
    const point = this.#points[index]!;
    // The size that it alone has written down goes with it: what a shrink dropped would not show any more.
    const isNeck = this.#guest.disks.some((disk) => {
      const { sizeBytes } = point.moments.get(disk.name)!;
      return this.#points
        .slice(0, index)
        .some(({ moments }) => moments.get(disk.name)!.sizeBytes > sizeBytes);
    });
    this.log.push(`forget ${index} of ${length}`);
    const { disks } = await this.#guest.vm.forget(point.pit);
    if (disks.some(({ error }) => error !== undefined)) {
      // Both disks have the same sizes, and nothing was done to either.
      expect(disks.map(({ error }) => error?.reason)).toEqual(['SIZE', 'SIZE']);
      expect(isNeck, this.log.join(', ')).toBe(true);
      return;
    }
    this.#points.splice(index, 1);
    this.#dead.push(point.pit);
    // What it recorded goes into a new segment with what the one before it did.
    this.#stored.delete(point.pit);
    this.#stored.delete(this.#points[index - 1]?.pit ?? '');
    await using disk = await this.#guest.vm.openDisk('a');
    await this.#stayDead(disk);
  }

  async #resize(): Promise<void> {
    // Two resizes between two points leave no trace of the first.
    if (this.#shrunk) await this.#session(true);
    await this.#guest.stopWriters();
    const sizeBytes = HISTORY_SIZES[this.#random(HISTORY_SIZES.length)]!;
    this.log.push(`resize to ${sizeBytes}`);
    for (const disk of this.#guest.disks) {
      this.#shrunk ||= sizeBytes < disk.sizeBytes;
      await this.#guest.resize(disk, sizeBytes);
    }
    await this.#guest.startWriters();
  }

  /** A clean stop: the images answer as QEMU did, and so does the next QEMU. */
  async #restart(): Promise<void> {
    this.log.push('restart');
    await this.#guest.stopWriters();
    const live = await this.#answers((name) => this.#guest.vm.openDisk(name));
    await this.#guest.vm.close();
    expect((await this.#guest.daemon.process.terminate()).code).toBe(0);
    await this.#guest.daemon[Symbol.asyncDispose]();
    expect(await this.#answers((name) => openDisk(this.#guest.image(name)))).toEqual(live);
    await this.#guest.start();
    this.#stored = new Set(this.#points.map(({ pit }) => pit));
  }

  /** kill -9 with writes under way: the chain is over, says so, and says so for ever. */
  async #kill(): Promise<void> {
    this.log.push('kill');
    const atKill = this.#points.map(({ pit }) => pit);
    await this.#guest.daemon.process.kill();
    await Promise.all(this.#guest.writers.map((writer) => writer.stop()));
    this.#guest.writers = [];
    await this.#guest.vm.close();
    await this.#guest.daemon[Symbol.asyncDispose]();
    await this.#guest.start();
    await this.#guest.stopWriters();
    for (const disk of this.#guest.disks) {
      await using tracked = await this.#guest.vm.openDisk(disk.name);
      const list = await tracked.pits();
      // A chain that never was in the file leaves nothing there.
      if (this.#stored.size > 0) {
        expect(list.state).toBe('lost');
        expect(list.problems.map(({ reason }) => reason)).toContain('CRASHED');
      } else expect(list.state).toBe('untracked');
      for (const pit of atKill) {
        const refused = await tracked.changes({ from: pit }).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(CbtError);
        if (this.#stored.has(pit)) expect(refused).toMatchObject({ reason: 'CRASHED' });
      }
      // Writes that no flush followed may be gone: the guest looks at what it has.
      await using data = await openData({
        kind: 'unix',
        path: this.#guest.daemon.nbdPath,
        exportName: disk.name,
      });
      const pages = disk.pagesOf(await data.readRanges(disk.zones()));
      for (const offset of disk.quietPages())
        expect(pages.get(offset) ?? 0, `quiet page at ${offset}`).toBe(disk.pages.get(offset) ?? 0);
      disk.pages.clear();
      for (const [offset, value] of pages) disk.set(offset, value);
    }
    this.#dead.push(...atKill);
    this.#points = [];
    const wasStored = this.#stored.size > 0;
    this.#stored.clear();
    this.#shrunk = false;
    if (this.#random(2) === 0) {
      this.log.push('reset');
      const { pit } = await this.#guest.vm.reset();
      const moments = this.#guest.disks.map((disk): [string, Moment] => [
        disk.name,
        {
          sizeBytes: disk.sizeBytes,
          pages: new Map(disk.pages),
          surely: disk.touches.length,
          maybe: disk.touches.length,
        },
      ]);
      this.#points = [{ pit: pit!, moments: new Map(moments) }];
      await this.#guest.startWriters();
    } else {
      await this.#guest.startWriters();
      const session = await this.#guest.vm.begin({
        nbdSocket: this.#guest.daemon.nbdPath,
        scratch: { folder: this.#guest.folder },
      });
      const reason = wasStored ? 'CRASHED' : 'NOT_RECORDING';
      for (const disk of session.disks) expect(disk).toMatchObject({ verdict: 'full', reason });
      // Rolled back, the new epoch's only point is gone, or stays as its start; the next one says what it can base on.
      await session.rollback();
      this.#dead.push(session.pit);
      await this.#guest.vm.reset().then(({ pit }) => this.#dead.push(pit!));
      await this.#guest.vm.disable();
    }
    await using disk = await this.#guest.vm.openDisk('a');
    await this.#stayDead(disk);
    if (this.#points.length === 0) await this.#session(true);
  }

  // ---- what must hold ----

  /** The oldest, the newest, and one between. */
  #some(points: readonly Point[]): Point[] {
    const between = points[this.#random(Math.max(points.length, 1))];
    return [...new Set([points[0], between, points.at(-1)])].flatMap((point) => point ?? []);
  }

  async #compare(tracked: TrackedDisk, disk: HistoryDisk, from: Point, to: Point): Promise<void> {
    const [a, b] = [from.moments.get(disk.name)!, to.moments.get(disk.name)!];
    const story = `${disk.name} from ${from.pit} to ${to.pit}: ${this.log.join(', ')}`;
    let ranges: Float64Array;
    try {
      const map = await tracked.changes({ from: from.pit, kinds: true });
      expect(map.sizeBytes).toBe(b.sizeBytes);
      ranges = await map.ranges();
      for await (const { ranges: areas, zero } of map.kinds())
        for (const [i, isZero] of zero.entries())
          if (isZero)
            for (const offset of b.pages.keys())
              expect(
                offset + PAGE <= areas[2 * i]! || offset >= areas[2 * i]! + areas[2 * i + 1]!,
                story,
              ).toBe(true);
    } catch (error) {
      // Bits that a shrink dropped: refused, and only then.
      expect(error, story).toMatchObject({ reason: 'SIZE' });
      expect(disk.mayHaveDropped(a, b), story).toBe(true);
      return;
    }
    expect(whatIsMissing(a, b, ranges), story).toBeNull();
    expect(whatIsTooMuch(disk, a, b, ranges), story).toBeNull();
  }

  async #stayDead(tracked: TrackedDisk): Promise<void> {
    for (const pit of this.#dead.slice(-6)) {
      const refused = await tracked.changes({ from: pit }).catch((error: unknown) => error);
      expect(refused, pit).toBeInstanceOf(CbtError);
      expect((refused as CbtError).reason, pit).toBeDefined();
    }
  }

  /** Every question that the points allow, of both disks, and what became of it. */
  async #answers(open: (name: string) => Promise<TrackedDisk>): Promise<unknown[]> {
    const answers: unknown[] = [];
    for (const model of this.#guest.disks) {
      const { name } = model;
      await using disk = await open(name);
      const pairs = this.#points.flatMap(({ pit: from }, i) => [
        { from },
        ...this.#points.slice(i, i + 2).map(({ pit: to }) => ({ from, to })),
        { from, to: this.#points.at(-1)!.pit },
      ]);
      for (const pair of pairs)
        answers.push([
          name,
          pair,
          await disk.changes(pair).then(
            async (map) => [map.sizeBytes, map.granularityBytes, Array.from(await map.ranges())],
            (error: CbtError) => [error.code, error.reason],
          ),
        ]);
      // What holds data is told by clusters from the image, and finer where QEMU sees holes in the file.
      const data = await (await disk.allocated()).ranges();
      const all = { sizeBytes: model.sizeBytes, surely: 0, maybe: 0 };
      const missing = whatIsMissing({ ...all, pages: new Map() }, { ...all, pages: model.pages }, data);
      expect(missing, this.log.join(', ')).toBeNull();
      const { pits, epoch } = await disk.pits();
      // QEMU counts a last granule whole although the disk ends within it.
      const listed = pits.map(({ pit, changeId, changedBytes }) => [
        pit,
        changeId,
        Math.ceil(changedBytes! / BLOCK),
      ]);
      answers.push([epoch, listed]);
    }
    return answers;
  }
}
