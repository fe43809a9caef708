/**
 * One instant on all disks: the guest writes each number to disk a, makes it stable, then writes it to disk b. Whatever
 * the instant, b has a's number or the one before; a session whose disks showed two instants would show something else.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endsClientsInMainThread } from '../../../../../lib/backend/qemu/graph/ioThreads.js';
import type { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { beginSession } from '../../../../../lib/backend/qemu/session/begin.js';
import { Guest } from '../../../../helpers/guest/guest.js';
import { makeGuestDisks } from '../../../../helpers/guest/guestDisk.js';
import { Instant } from '../../../../helpers/guest/instant.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const POINTS = 24;

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await makeTemporaryFolder();
});
afterAll(() => folder.remove());

/** The number on a disk as the session shows it, after recovery as after a power cut. */
async function numberOn(uri: string, name: string): Promise<number> {
  const instant = await Instant.copy(uri, join(folder.path, `${name}.raw`));
  await instant.recover();
  return Number((await instant.read('number')).subarray(0, 20));
}

async function takePoint(client: QmpClient, guest: Guest): Promise<{ a: number; b: number }> {
  const noDisk = (): never => {
    throw new Error('this test opens no disk');
  };
  const options = { scratch: { folder: folder.path }, disks: ['a', 'b'] };
  await using session = await beginSession(client, async () => noDisk(), options);
  const since = await guest.progress('ordered', 1);
  const [a, b] = await Promise.all(
    session.disks.map(({ unsafeExportUri: uri }, index) => numberOn(uri!, ['a', 'b'][index]!)),
  );
  const { disks } = await session.commit();
  expect(disks.map(({ error }) => error)).toEqual([undefined, undefined]);
  // What the guest wrote after the instant is not in it.
  expect(a).toBeLessThanOrEqual(since);
  return { a: a!, b: b! };
}

async function boot(iothreads: boolean): Promise<Guest> {
  const guest = await Guest.boot({ disks: await makeGuestDisks(folder.path, ['a', 'b']), iothreads });
  await guest.start('writer ordered /mnt/a /mnt/b');
  await guest.progress('ordered', 50);
  return guest;
}

async function takePoints(client: QmpClient, guest: Guest): Promise<void> {
  const seen: { a: number; b: number }[] = [];
  for (let n = 0; n < POINTS; n += 1) seen.push(await takePoint(client, guest));
  for (const { a, b } of seen) expect([a, a - 1], JSON.stringify(seen)).toContain(b);
  // The writer got on from each point to the next.
  expect(seen.every(({ a }, n) => n === 0 || a > seen[n - 1]!.a)).toBe(true);
  expect((await guest.powerOff()).code).toBe(0);
}

describe('two disks, while the guest writes to one after the other', () => {
  test('show one instant in every session', async () => {
    await using guest = await boot(false);
    await using client = await guest.vm.connect();
    await takePoints(client, guest);
  });

  test('show one instant also in an I/O thread each, or are refused where QEMU would not live through it', async () => {
    await using guest = await boot(true);
    await using client = await guest.vm.connect();
    if (endsClientsInMainThread(client.version)) return takePoints(client, guest);
    expect(await refusalOf(takePoint(client, guest))).toMatchObject({ code: 'ERR_CBT_UNSUPPORTED' });
    await guest.progress('ordered', 50);
  });
});
