import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GuestAgent } from '../../../../../lib/backend/qemu/guest/guestAgent.js';
import { withFrozenGuest } from '../../../../../lib/backend/qemu/guest/guestFreeze.js';
import { eventually } from '../../../../helpers/eventually.js';
import { FakeGuestAgent, SILENT } from '../../../../helpers/fakeGuestAgent.js';

let fake: FakeGuestAgent;
beforeEach(async () => {
  fake = await FakeGuestAgent.start();
});
afterEach(async () => {
  await fake[Symbol.asyncDispose]();
});

const coded = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });
/** A promise and the way to settle it. */
const gate = <T = void>() => {
  let open: (value: T) => void = () => undefined;
  const passed = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { open, passed };
};

describe('guest agent', () => {
  it('synchronises, then answers version, commands and state', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    expect(await agent.info()).toMatchObject({ version: '7.2.22', commands: fake.commands });
    expect(await agent.freezeState()).toBe('thawed');
    expect(await agent.freeze()).toBe(2);
    expect(await agent.freezeState()).toBe('frozen');
    expect(await agent.thaw()).toBe(2);
    expect(await agent.thaw()).toBe(0);
  });

  it('throws away what an earlier client left in the channel, whole lines, halves and old syncs', async () => {
    fake.on('guest-sync-delimited', (command) =>
      Buffer.concat([
        Buffer.from('{"return": "frozen"}\n{"return": {"half": '),
        Buffer.from([0xff]),
        Buffer.from('{"return": 12345}\n{"return": 9}\n{"half'),
        Buffer.from([0xff, 0xff]),
        Buffer.from(`{"return": ${command.arguments?.['id']}}\n`),
      ]),
    );
    await using agent = await GuestAgent.connect(fake.path);
    expect(await agent.freezeState()).toBe('thawed');
  });

  it('never takes a late reply for that of the next command', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    const slow = gate<unknown>();
    fake.on('guest-fsfreeze-status', () => slow.passed);
    await expect(agent.freezeState({ timeoutMs: 20 })).rejects.toThrow(
      coded('ERR_CBT_TIMEOUT', /did not answer guest-fsfreeze-status in 20 ms \(is it running/),
    );
    const next = agent.freeze();
    slow.open({ return: 'frozen' });
    expect(await next).toBe(2);
  });

  it('says when nobody answers, though QEMU took the connection', async () => {
    fake.on('guest-sync-delimited', () => SILENT);
    await expect(GuestAgent.connect(fake.path, { timeoutMs: 500 })).rejects.toThrow(
      coded('ERR_CBT_TIMEOUT', /guest-sync-delimited in \d+ ms \(is it running in the guest/),
    );
    await expect(GuestAgent.connect('/nonexistent/agent')).rejects.toThrow(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', /guest agent \/nonexistent\/agent: there is no such socket/),
    );
  });

  it('can be cancelled, and goes on in step', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    const abort = new AbortController();
    fake.on('guest-fsfreeze-status', () => SILENT);
    const asked = agent.freezeState({ signal: abort.signal });
    abort.abort();
    await expect(asked).rejects.toThrow(coded('ERR_CBT_ABORTED', /cancelled/));
    fake.off('guest-fsfreeze-status');
    expect(await agent.freezeState()).toBe('thawed');
  });

  it('runs commands asked for at once one after the other', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    expect(
      await Promise.all([agent.freeze(), agent.freezeState(), agent.thaw(), agent.freezeState()]),
    ).toEqual([2, 'frozen', 2, 'thawed']);
  });

  it('refuses an agent without freeze, or with freeze switched off', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    fake.commands.delete('guest-fsfreeze-freeze');
    await expect(agent.requireFreeze()).rejects.toThrow(
      coded('ERR_CBT_UNSUPPORTED', /guest-fsfreeze-freeze/),
    );
    fake.on('guest-info', () => ({
      return: { version: '2.5', supported_commands: [{ name: 'guest-fsfreeze-thaw', enabled: false }] },
    }));
    await expect(agent.requireFreeze()).rejects.toThrow(/2\.5 does not offer .*status.*freeze.*thaw/);
  });

  it.each([
    ['a list', '[]\n', /not a JSON object/],
    ['no return', '{"hello": 1}\n', /no return/],
    ['a state nobody knows', '{"return": "melted"}\n', /not understood/],
    ['bytes that are no UTF-8', Buffer.from([0xfe, 0x0a]), /not UTF-8/],
    ['a line without end', Buffer.alloc(1024 * 1024 + 1, 0x20), /1048576 bytes/],
  ])('refuses an answer that is %s', async (_what, bytes, why) => {
    await using agent = await GuestAgent.connect(fake.path);
    fake.on('guest-fsfreeze-status', () => bytes);
    await expect(agent.freezeState()).rejects.toThrow(coded('ERR_CBT_BACKEND_PROTOCOL', why));
  });

  it('tells what the agent refuses, cut to size', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    fake.on('guest-fsfreeze-freeze', () => ({ error: { class: 'GenericError', desc: 'x'.repeat(100_000) } }));
    const error = await agent.freeze().catch((e: unknown) => e);
    expect(error).toMatchObject({ command: 'guest-fsfreeze-freeze', qmpClass: 'GenericError' });
    expect(String(error)).toMatch(/the guest agent refused guest-fsfreeze-freeze: x{500}$/);
    expect(await agent.freezeState()).toBe('thawed');
  });

  it('sees the socket die', async () => {
    await using agent = await GuestAgent.connect(fake.path);
    fake.on('guest-info', () => {
      fake.cut();
      return SILENT;
    });
    await expect(agent.info()).rejects.toThrow(coded('ERR_CBT_BACKEND_UNAVAILABLE', /connection is gone/));
    expect(agent.open).toBe(false);
    await expect(agent.info()).rejects.toThrow(coded('ERR_CBT_BACKEND_UNAVAILABLE', /connection is gone/));
  });
});

describe('withFrozenGuest', () => {
  const seen = (): boolean => fake.frozen;

  it('runs the work while the guest is frozen, and thaws', async () => {
    const result = await withFrozenGuest(fake.path, async () => seen());
    expect(result).toEqual({ value: true, frozenFileSystems: 2 });
    expect(fake.frozen).toBe(false);
    expect(fake.log.slice(-2)).toEqual(['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw']);
  });

  it('thaws when the work fails, and tells its error', async () => {
    const run = withFrozenGuest(fake.path, () => Promise.reject(new Error('mine')));
    await expect(run).rejects.toThrow('mine');
    expect(fake.frozen).toBe(false);
    await expect(
      withFrozenGuest(fake.path, () => {
        throw new Error('mine too');
      }),
    ).rejects.toThrow('mine too');
    expect(fake.frozen).toBe(false);
  });

  it('thaws when the freeze fails half-way, and does not run the work', async () => {
    fake.on('guest-fsfreeze-freeze', () => {
      fake.frozen = true;
      return { error: { class: 'GenericError', desc: 'failed to freeze /home: Input/output error' } };
    });
    const work = vi.fn();
    await expect(withFrozenGuest(fake.path, work)).rejects.toThrow(/failed to freeze \/home/);
    expect(work).not.toHaveBeenCalled();
    expect(fake.frozen).toBe(false);
  });

  it('thaws when the freeze takes too long, even if it succeeds only after we gave up', async () => {
    const slow = gate();
    fake.on('guest-fsfreeze-freeze', async (command) => {
      await slow.passed;
      return fake.answer(command);
    });
    const run = withFrozenGuest(fake.path, vi.fn(), { freezeTimeoutMs: 30, thawTimeoutMs: 5_000 });
    run.catch(() => undefined);
    await eventually(() => expect(fake.log).toContain('guest-fsfreeze-freeze'));
    // The thaw is already in the channel when the freeze ends.
    setTimeout(slow.open, 100);
    await expect(run).rejects.toThrow(coded('ERR_CBT_TIMEOUT', /guest-fsfreeze-freeze in 30 ms/));
    expect(fake.frozen).toBe(false);
  });

  it('leaves a thaw behind a freeze that outlasts all patience', async () => {
    const slow = gate();
    fake.on('guest-fsfreeze-freeze', async (command) => {
      await slow.passed;
      return fake.answer(command);
    });
    const error = await withFrozenGuest(fake.path, vi.fn(), { freezeTimeoutMs: 20, thawTimeoutMs: 60 }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      message: expect.stringContaining('MAY STILL BE FROZEN'),
      details: { mayBeFrozen: true },
      cause: expect.objectContaining({ code: 'ERR_CBT_TIMEOUT' }),
    });
    slow.open();
    await eventually(() => expect(fake.log).toContain('guest-fsfreeze-thaw'));
    expect(fake.frozen).toBe(false);
  });

  it('thaws over a new connection when the socket dies while frozen', async () => {
    const result = await withFrozenGuest(fake.path, async () => {
      fake.cut();
      return seen();
    });
    expect(result.value).toBe(true);
    expect(fake.frozen).toBe(false);
    expect(fake.connections).toBe(2);
  });

  it('thaws over a new connection when the socket dies during the freeze, or during the thaw', async () => {
    fake.on('guest-fsfreeze-freeze', (command) => {
      fake.answer(command);
      fake.cut();
      return SILENT;
    });
    await expect(withFrozenGuest(fake.path, vi.fn())).rejects.toThrow(/connection is gone/);
    expect(fake.frozen).toBe(false);
    fake.off('guest-fsfreeze-freeze');
    let cuts = 0;
    fake.on('guest-fsfreeze-thaw', (command) => {
      cuts += 1;
      if (cuts > 1) return fake.answer(command);
      fake.cut();
      return SILENT;
    });
    expect(await withFrozenGuest(fake.path, async () => 7)).toMatchObject({ value: 7 });
    expect(fake.frozen).toBe(false);
  });

  it('goes on trying while nobody listens', async () => {
    const run = withFrozenGuest(fake.path, async () => {
      await fake.stopListening();
      setTimeout(() => void fake.listenAgain(), 250);
      return 1;
    });
    expect(await run).toMatchObject({ value: 1 });
    expect(fake.frozen).toBe(false);
  });

  it('shouts when the guest cannot be thawed', async () => {
    fake.on('guest-fsfreeze-thaw', () => ({ error: { class: 'GenericError', desc: 'no' } }));
    const run = withFrozenGuest(fake.path, async () => 1, { thawTimeoutMs: 80 });
    await expect(run).rejects.toThrow(
      coded(
        'ERR_CBT_BACKEND_UNAVAILABLE',
        /MAY STILL BE FROZEN.*tries.*send guest-fsfreeze-thaw to its agent/,
      ),
    );
    expect(fake.frozen).toBe(true);
  });

  it('thaws when the work takes too long, tells it to stop, and waits for it', async () => {
    let thawedWhenTold: boolean | undefined;
    let ended = false;
    const run = withFrozenGuest(
      fake.path,
      async (signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await eventually(() => expect(fake.frozen).toBe(false));
        thawedWhenTold = true;
        ended = true;
        return 'too late';
      },
      { maxFrozenMs: 30 },
    );
    await expect(run).rejects.toThrow(coded('ERR_CBT_TIMEOUT', /longer than 30 ms/));
    expect([thawedWhenTold, ended]).toEqual([true, true]);
    expect(fake.frozen).toBe(false);
  });

  it('thaws when cancelled, before, during and after the freeze', async () => {
    for (const moment of ['guest-info', 'guest-fsfreeze-freeze', 'work']) {
      const abort = new AbortController();
      fake.on(moment, (command) => {
        abort.abort();
        return fake.answer(command);
      });
      const run = withFrozenGuest(
        fake.path,
        async (signal) => {
          abort.abort();
          expect(signal.aborted).toBe(true);
        },
        { signal: abort.signal },
      );
      await expect(run, moment).rejects.toThrow(coded('ERR_CBT_ABORTED', /cancelled/));
      await eventually(() => expect(fake.frozen, moment).toBe(false));
      fake.off(moment);
    }
    expect(fake.log.filter((command) => command === 'guest-fsfreeze-freeze')).toHaveLength(2);
  });

  it('does not believe in a freeze that somebody else ended', async () => {
    const run = withFrozenGuest(fake.path, async () => {
      fake.frozen = false;
    });
    await expect(run).rejects.toThrow(coded('ERR_CBT_BACKEND_UNAVAILABLE', /did not stay frozen: 2/));
  });

  it('takes a refused thaw of a thawed guest as what Windows says when its own limit was first', async () => {
    fake.on('guest-fsfreeze-thaw', () => ({ error: { class: 'GenericError', desc: 'not frozen' } }));
    const run = withFrozenGuest(fake.path, async () => {
      fake.frozen = false;
    });
    await expect(run).rejects.toThrow(/did not stay frozen/);
  });

  it('refuses a guest that somebody else froze, and leaves it frozen', async () => {
    fake.frozen = true;
    const error = await withFrozenGuest(fake.path, vi.fn()).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_CBT_BACKEND_UNAVAILABLE', reason: 'BUSY' });
    expect(fake.frozen).toBe(true);
    expect(fake.log).not.toContain('guest-fsfreeze-thaw');
  });

  it('tells that nothing was frozen', async () => {
    fake.fileSystems = 0;
    expect(await withFrozenGuest(fake.path, async () => 1)).toEqual({ value: 1, frozenFileSystems: 0 });
  });

  it('freezes nothing when the agent cannot thaw', async () => {
    fake.commands.delete('guest-fsfreeze-thaw');
    await expect(withFrozenGuest(fake.path, vi.fn())).rejects.toThrow(coded('ERR_CBT_UNSUPPORTED', /thaw/));
    expect(fake.log).not.toContain('guest-fsfreeze-freeze');
  });

  it('freezes nothing when the agent cannot tell whether it is frozen', async () => {
    fake.commands.delete('guest-fsfreeze-status');
    await expect(withFrozenGuest(fake.path, vi.fn())).rejects.toThrow(coded('ERR_CBT_UNSUPPORTED', /status/));
    expect(fake.log).not.toContain('guest-fsfreeze-freeze');
  });
});
