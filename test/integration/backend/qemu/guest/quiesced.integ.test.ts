/** Sessions on a real guest that is writing through its file systems: what their exports hold, frozen or not. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { type BeginSessionOptions, beginSession } from '../../../../../lib/backend/qemu/session/begin.js';
import type { LiveSession } from '../../../../../lib/backend/qemu/session/liveSession.js';
import { Guest } from '../../../../helpers/guest/guest.js';
import { makeGuestDisks } from '../../../../helpers/guest/guestDisk.js';
import { Instant } from '../../../../helpers/guest/instant.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

const FILES = ['kept-1', 'kept-2', 'kept-3'];

let folder: TemporaryFolder;
let guest: Guest;
let client: QmpClient;

beforeAll(async () => {
  folder = await makeTemporaryFolder();
  guest = await Guest.boot({ disks: await makeGuestDisks(folder.path, ['a', 'b']) });
  client = await guest.vm.connect();
  await guest.start('writer churn /mnt/a 1');
  await guest.start('writer ordered /mnt/a /mnt/b');
});
afterAll(async () => {
  await client?.close();
  await guest?.[Symbol.asyncDispose]();
  await folder.remove();
});

const begin = (options: BeginSessionOptions): Promise<LiveSession> =>
  beginSession(
    client,
    async () => {
      throw new Error('this test opens no disk');
    },
    { scratch: { folder: folder.path }, disks: ['a', 'b'], ...options },
  );

/** Copies what the session shows of each disk. */
const copy = (session: LiveSession): Promise<Instant[]> =>
  Promise.all(
    session.disks.map(({ unsafeExportUri: uri }, index) =>
      Instant.copy(uri!, join(folder.path, `copy-${index}.raw`)),
    ),
  );

/** Makes the files anew, each on stable storage; what is in them, by name. */
async function makeFiles(): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  for (const name of FILES) {
    const path = `/mnt/a/${name}`;
    const said = await guest.run(
      `rm -f ${path}; dd if=/dev/urandom of=${path} bs=70001 count=5 conv=fsync 2>/dev/null; sha256sum ${path}`,
    );
    sums.set(name, said.split(' ')[0]!);
  }
  return sums;
}

async function sumsIn(instant: Instant): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  for (const name of FILES) {
    sums.set(
      name,
      createHash('sha256')
        .update(await instant.read(name))
        .digest('hex'),
    );
  }
  return sums;
}

/** Overwrites the files, and waits until both writers have got on. */
async function goOn(): Promise<void> {
  await guest.run(`for file in ${FILES.join(' ')}; do echo overwritten >/mnt/a/$file; done; sync`);
  await guest.progress('churn', 20);
  await guest.progress('ordered', 20);
}

describe('the exports of a session', () => {
  test.each([
    ['frozen', true],
    ['not frozen', false],
  ])('of a guest that was %s', async (_, quiesce) => {
    const sums = await makeFiles();
    await using session = await begin(quiesce ? { quiesce: { agentSocket: guest.agentSocket } } : {});
    expect(session.warnings).toEqual([]);
    expect(await guest.run('is-frozen /mnt/a; is-frozen /mnt/b')).toBe('thawed\nthawed');
    await goOn();
    const instants = await copy(session);
    await session.check();
    for (const instant of instants) {
      // A frozen file system is as if unmounted; one that is not must be recovered, as after a power cut.
      expect(await instant.needsRecovery()).toBe(!quiesce);
      if (quiesce) await instant.check();
      else await instant.recover();
    }
    expect(await sumsIn(instants[0]!)).toEqual(sums);
    const { disks } = await session.commit();
    expect(disks).toMatchObject([{ changeId: expect.any(String) }, { changeId: expect.any(String) }]);
    await goOn();
  });
});
