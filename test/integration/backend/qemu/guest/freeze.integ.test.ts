/** Freezing a real guest by its real agent: frozen while the work is done, thawed after it, whatever became of it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GuestAgent } from '../../../../../lib/backend/qemu/guest/guestAgent.js';
import { withFrozenGuest } from '../../../../../lib/backend/qemu/guest/guestFreeze.js';
import { Guest } from '../../../../helpers/guest/guest.js';
import { makeGuestDisks } from '../../../../helpers/guest/guestDisk.js';
import { refusalOf } from '../../../../helpers/refusal.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../../../../helpers/temporaryFolder.js';

let folder: TemporaryFolder;
let guest: Guest;

// The first boot on a machine downloads what the guest is made of.
beforeAll(async () => {
  folder = await makeTemporaryFolder();
  guest = await Guest.boot({ disks: await makeGuestDisks(folder.path, ['a', 'b']) });
});
afterAll(async () => {
  await guest?.[Symbol.asyncDispose]();
  await folder.remove();
});
beforeEach(() => guest.start('writer ordered /mnt/a /mnt/b'));
// A test that failed may have left the guest frozen; the next one is not to suffer for it.
afterEach(() => guest.run('fsfreeze --unfreeze /mnt/a; fsfreeze --unfreeze /mnt/b; stop writer'));

/** What the guest itself says of its file systems, in order. */
const states = async (): Promise<string[]> =>
  (await guest.run('is-frozen /mnt/a; is-frozen /mnt/b')).trim().split('\n');
const FROZEN = ['frozen', 'frozen'];
const THAWED = ['thawed', 'thawed'];
const freeze: typeof withFrozenGuest = (path, fn, options) =>
  withFrozenGuest(path, fn, { maxFrozenMs: 30_000, ...options });

async function expectThawed(): Promise<void> {
  expect(await states()).toEqual(THAWED);
  await using agent = await GuestAgent.connect(guest.agentSocket);
  expect(await agent.freezeState()).toBe('thawed');
}

describe('a real guest', () => {
  test('is frozen during the work and thawed after it', async () => {
    await guest.progress('ordered', 10);
    const result = await freeze(guest.agentSocket, async () => {
      expect(await states()).toEqual(FROZEN);
      // It may still say that its last step is done, but it takes no other.
      const steps = await guest.run('for n in 1 2 3 4; do usleep 100000; cat /run/ordered; done');
      expect(new Set(steps.trim().split('\n').slice(1)).size).toBe(1);
      return Number(steps.trim().split('\n').at(-1));
    });
    expect(result.frozenFileSystems).toBe(2);
    await expectThawed();
    expect(await guest.progress('ordered', 10)).toBeGreaterThan(result.value);
  });

  test('says through its agent that it is frozen, and is then left to whoever froze it', async () => {
    await using agent = await GuestAgent.connect(guest.agentSocket);
    expect(await agent.info()).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+/) });
    expect(await agent.freeze()).toBe(2);
    expect(await agent.freezeState()).toBe('frozen');
    await agent.close();
    let ran = false;
    const refused = await refusalOf(
      freeze(guest.agentSocket, async () => {
        ran = true;
      }),
    );
    expect(refused).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
    expect(ran).toBe(false);
    expect(await states()).toEqual(FROZEN);
    await using again = await GuestAgent.connect(guest.agentSocket);
    expect(await again.thaw()).toBe(2);
    expect(await again.freezeState()).toBe('thawed');
  });

  test('is thawed when the work fails', async () => {
    const failure = new Error('the work failed');
    const work = async (): Promise<never> => {
      expect(await states()).toEqual(FROZEN);
      throw failure;
    };
    await expect(freeze(guest.agentSocket, work)).rejects.toBe(failure);
    await expectThawed();
  });

  test('is thawed when the caller cancels, before the work has ended', async () => {
    const caller = new AbortController();
    const seen: string[][] = [];
    const refused = await refusalOf(
      freeze(
        guest.agentSocket,
        async () => {
          seen.push(await states());
          caller.abort();
          // Ends only when the guest writes again.
          await guest.progress('ordered', 10);
        },
        { signal: caller.signal },
      ),
    );
    expect(refused.code).toBe('ERR_CBT_ABORTED');
    expect(seen).toEqual([FROZEN]);
    await expectThawed();
  });

  test('is thawed when the work takes too long, before it has ended', async () => {
    const refused = await refusalOf(
      freeze(
        guest.agentSocket,
        async (signal) => {
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          await guest.progress('ordered', 10);
        },
        { maxFrozenMs: 500 },
      ),
    );
    expect(refused).toMatchObject({ code: 'ERR_CBT_TIMEOUT', details: { maxFrozenMs: 500 } });
    await expectThawed();
  });

  test.each(['ERR_CBT_TIMEOUT', 'ERR_CBT_ABORTED'])(
    'is thawed when the freeze itself ends as %s',
    async (code) => {
      const caller = new AbortController();
      let ran = false;
      const work = async (): Promise<void> => {
        ran = true;
      };
      await guest.run('rm -f /run/hook; touch /run/hold');
      const timeLimit = code === 'ERR_CBT_TIMEOUT' ? { freezeTimeoutMs: 300 } : {};
      const refused = refusalOf(freeze(guest.agentSocket, work, { signal: caller.signal, ...timeLimit }));
      await guest.run('until [ -e /run/hook ]; do usleep 1000; done');
      if (code === 'ERR_CBT_ABORTED') caller.abort();
      // The agent goes on to freeze after we have given up on it.
      await guest.run('usleep 500000; rm /run/hold');
      expect((await refused).code).toBe(code);
      expect(ran).toBe(false);
      expect(await guest.run('cat /run/hook')).toBe('thaw');
      await expectThawed();
    },
  );

  test('whose agent is not running is not frozen, and told apart', async () => {
    await guest.run('killall -STOP qemu-ga');
    let ran = false;
    const refused = await refusalOf(
      freeze(guest.agentSocket, async () => {
        ran = true;
      }),
    );
    expect(refused).toMatchObject({
      code: 'ERR_CBT_TIMEOUT',
      message: expect.stringContaining('is it running'),
    });
    expect(ran).toBe(false);
    expect(await states()).toEqual(THAWED);
    await guest.run('killall -CONT qemu-ga');
    await freeze(guest.agentSocket, async () => expect(await states()).toEqual(FROZEN));
    await expectThawed();
  });
});
