/** Events of QEMU, as a client hears them. */
import { describe, expect, it } from 'vitest';
import { coded, connected } from '../../../../helpers/connectedQmp.js';

describe('events', () => {
  it('misses nothing between the call and the reply of a command', async () => {
    await using pair = await connected();
    const wait = pair.client.waitEvent(({ event, data }) => event === 'JOB' && data?.['id'] === 'b');
    const run = pair.client.execute('start');
    const { command, socket } = await pair.server.receive();
    pair.server.event('JOB', { id: 'a' });
    pair.server.event('JOB', { id: 'b' });
    socket.write(`{"return":{},"id":"${command.id}"}\n`);
    await run;
    expect((await wait).data).toEqual({ id: 'b' });
  });

  it('waits no longer than told, and can be cancelled', async () => {
    await using pair = await connected();
    await expect(pair.client.waitEvent(() => true, { timeoutMs: 15 })).rejects.toThrow(
      coded('ERR_CBT_TIMEOUT', /event.*15 ms/),
    );
    const abort = new AbortController();
    const wait = pair.client.waitEvent(() => true, { signal: abort.signal });
    abort.abort();
    await expect(wait).rejects.toThrow(coded('ERR_CBT_ABORTED', 'cancelled'));
  });

  it('hands a throwing predicate to the one who waits', async () => {
    await using pair = await connected();
    const wait = pair.client.waitEvent(() => {
      throw new Error('mine');
    });
    pair.server.event('X');
    await expect(wait).rejects.toThrow('mine');
    expect(pair.client.open).toBe(true);
  });

  it('gives every subscriber all events in order, then the loss of the connection', async () => {
    await using pair = await connected();
    const [one, two] = [pair.client.events(), pair.client.events()];
    for (const name of ['A', 'B', 'C']) pair.server.event(name);
    const run = pair.client.execute('sync');
    await pair.server.answer();
    await run;
    pair.server.cut();
    await pair.client.ended;
    for (const stream of [one, two]) {
      const names: string[] = [];
      const reading = (async () => {
        for await (const { event } of stream) names.push(event);
      })();
      await expect(reading).rejects.toThrow(coded('ERR_CBT_CONNECTION_LOST', 'is gone'));
      expect(names).toEqual(['A', 'B', 'C']);
    }
  });

  it('says that events were lost instead of dropping them', async () => {
    await using pair = await connected({ maxBufferedEvents: 2 });
    const stream = pair.client.events();
    for (const name of ['A', 'B', 'C']) pair.server.event(name);
    const run = pair.client.execute('sync');
    await pair.server.answer();
    await run;
    await expect(stream.next()).rejects.toThrow(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', /more than 2 QMP events/),
    );
    expect(pair.client.open).toBe(true);
  });

  it('stops at return, also for a reader that waits', async () => {
    await using pair = await connected();
    const stream = pair.client.events();
    const reading = stream.next();
    await stream.return();
    expect(await reading).toEqual({ done: true, value: undefined });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});
