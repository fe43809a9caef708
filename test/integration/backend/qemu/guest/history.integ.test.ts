/**
 * Points in time of a guest that writes all the time, over its whole life: running, shut down in good order, killed. What is
 * said to have changed between any two of them must cover every byte that differs between their contents.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginSession } from '../../../../../lib/backend/qemu/session/begin.js';
import type { Ranges } from '../../../../../lib/core/rangePage.js';
import { ImageTracking } from '../../../../../lib/host/imageTracking.js';
import { openDisk } from '../../../../../lib/host/open.js';
import { Guest, type GuestDisk } from '../../../../helpers/guest/guest.js';
import { makeGuestDisks } from '../../../../helpers/guest/guestDisk.js';
import { Instant } from '../../../../helpers/guest/instant.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

/** Finer than any granularity that is used. */
const PIECE_BYTES = 512;
const STEPS = 40;

let folder: TemporaryFolder;
let disks: GuestDisk[];

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  disks = await makeGuestDisks(folder.path, ['a', 'b']);
});
afterAll(() => folder.remove());

/** A point in time, and what each disk held at it; null stands for the disks as they are at the end. */
interface Known {
  pit: string | null;
  instants: Instant[];
}

async function boot(seed: number): Promise<Guest> {
  const guest = await Guest.boot({ disks });
  await guest.start(`writer churn /mnt/a ${seed}`);
  await guest.start('writer ordered /mnt/a /mnt/b');
  await guest.progress('churn', STEPS);
  return guest;
}

/** Takes a point in time while the guest writes, copies what it shows, and commits it. */
async function takePoint(guest: Guest): Promise<{ known: Known; outcomes: object[] }> {
  await using client = await guest.vm.connect();
  const noDisk = (): Promise<never> => Promise.reject(new Error('this test opens no disk'));
  const options = { scratch: { folder: folder.path }, disks: ['a', 'b'] };
  await using session = await beginSession(client, noDisk, options);
  await guest.progress('churn', STEPS / 2);
  const instants: Instant[] = [];
  for (const [index, { unsafeExportUri: uri }] of session.disks.entries()) {
    instants.push(await Instant.copy(uri!, join(folder.path, `${session.pit}-${index}.raw`)));
  }
  const outcomes = session.disks.map(({ verdict, base, reason }) => ({ verdict, base, reason }));
  await session.commit();
  await guest.progress('churn', STEPS / 2);
  return { known: { pit: session.pit, instants }, outcomes };
}

/** The contents of the images, which no VM uses. */
async function contentsNow(): Promise<Known> {
  const copies = disks.map(({ name, file }) =>
    Instant.copy(file, join(folder.path, `now-${name}.raw`), 'qcow2'),
  );
  return { pit: null, instants: await Promise.all(copies) };
}

function covers(ranges: Ranges, offset: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (ranges[i]! <= offset && offset + PIECE_BYTES <= ranges[i]! + ranges[i + 1]!) return true;
  }
  return false;
}

/** Every pair of points on every disk: what differs is told, and not everything is. */
async function checkMaps(history: readonly Known[]): Promise<void> {
  for (const [index, { file }] of disks.entries()) {
    await using disk = await openDisk(file);
    for (const [n, from] of history.slice(0, -1).entries()) {
      for (const to of history.slice(n + 1)) {
        const map = await disk.changes({ from: from.pit!, ...(to.pit === null ? {} : { to: to.pit }) });
        const ranges = await map.ranges();
        const differing = await from.instants[index]!.differences(to.instants[index]!, PIECE_BYTES);
        expect(differing.filter((offset) => !covers(ranges, offset))).toEqual([]);
        expect(differing.length).toBeGreaterThan(0);
        expect(await map.changedBytes()).toBeLessThan(map.sizeBytes);
      }
    }
  }
}

const full = (reason: string) => ({ verdict: 'full', base: undefined, reason });
const incremental = (base: string | null) => ({ verdict: 'incremental', base, reason: undefined });
const both = <T>(one: T): T[] => [one, one];

test('points survive shutdowns, taken with and without the guest, until it is killed', async () => {
  const history: Known[] = [];
  const last = (): string | null => history.at(-1)!.pit;
  {
    await using guest = await boot(1);
    for (let n = 0; n < 4; n += 1) {
      const expected = n === 0 ? full('NOT_RECORDING') : incremental(last());
      const { known, outcomes } = await takePoint(guest);
      expect(outcomes).toEqual(both(expected));
      history.push(known);
    }
    expect(await guest.powerOff()).toMatchObject({ code: 0, stderr: '' });
  }
  const tracking = new ImageTracking(disks.map(({ file }) => file));
  const atRest = await contentsNow();
  await checkMaps([...history, atRest]);
  const session = await tracking.begin();
  expect(session.disks).toMatchObject(both({ verdict: 'incremental', base: last() }));
  expect((await tracking.commit(session.pit)).disks.map(({ error }) => error)).toEqual(both(undefined));
  history.push({ pit: session.pit, instants: atRest.instants });
  {
    await using guest = await boot(2);
    const { known, outcomes } = await takePoint(guest);
    expect(outcomes).toEqual(both(incremental(last())));
    history.push(known);
    expect((await guest.powerOff()).code).toBe(0);
  }
  await checkMaps(history);
  {
    await using guest = await boot(3);
    await guest.vm.kill();
  }
  for (const { file } of disks) {
    await using disk = await openDisk(file);
    const { state, problems } = await disk.pits();
    expect(state).toBe('lost');
    expect(problems).toContainEqual(expect.objectContaining({ reason: 'CRASHED' }));
    const refused = await refusalOf(disk.changes({ from: last()! }));
    expect(refused).toMatchObject({ code: 'ERR_CBT_TRACKING_LOST', reason: 'CRASHED' });
  }
  {
    await using guest = await boot(4);
    const crashed = await takePoint(guest);
    expect(crashed.outcomes).toEqual(both(full('CRASHED')));
    const next = await takePoint(guest);
    expect(next.outcomes).toEqual(both(incremental(crashed.known.pit)));
    expect((await guest.powerOff()).code).toBe(0);
    await checkMaps([crashed.known, next.known, await contentsNow()]);
  }
});
