import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { qmp } from '../../../../../lib/backend/qemu/qmp/commands.js';
import { QmpClient } from '../../../../../lib/backend/qemu/qmp/qmpClient.js';
import { QmpCommandError } from '../../../../../lib/backend/qemu/qmp/qmpError.js';
import { coded, connected } from '../../../../helpers/connectedQmp.js';
import { eventually } from '../../../../helpers/eventually.js';
import { FakeQmpServer, GREETING } from '../../../../helpers/fakeQmpServer.js';

describe('connecting', () => {
  it('reads the greeting and negotiates once', async () => {
    await using server = await FakeQmpServer.start();
    const [client, command] = await Promise.all([QmpClient.connect(server.path), server.answer()]);
    expect(command).toMatchObject({ execute: 'qmp_capabilities' });
    expect(command).not.toHaveProperty('arguments');
    expect(client.version?.qemu).toMatchObject({ major: 7, minor: 2 });
    expect(client.open).toBe(true);
    await client.close();
    expect(client.open).toBe(false);
    expect(await client.ended).toMatchObject({ code: 'ERR_CBT_CLOSED' });
  });

  it('takes a connected socket', async () => {
    await using server = await FakeQmpServer.start();
    const socket = net.connect(server.path);
    const [client] = await Promise.all([QmpClient.connect(socket, { name: 'mine' }), server.answer()]);
    expect(client.name).toBe('mine');
    await client.close();
    expect(socket.destroyed).toBe(true);
    await expect(QmpClient.connect(socket)).rejects.toThrow(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', 'closed already'),
    );
  });

  it('says that another client may hold the monitor when no greeting comes', async () => {
    await using server = await FakeQmpServer.start(null);
    const error = await QmpClient.connect(server.path, { timeoutMs: 500 }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_CBT_TIMEOUT', reason: 'BUSY' });
    expect(String(error)).toMatch(/one client at a time.*libvirt/);
    expect(String(error)).toContain(server.path);
  });

  it.each([
    ['something else', { hello: {} }, /no QMP greeting.*QMP/],
    ['a greeting without version', { QMP: { capabilities: [] } }, /QMP\.version/],
    ['an array', '[]\n', /not a JSON object/],
    ['a pretty-printed greeting', '{\r\n    "QMP": {\r\n', /not JSON/],
    ['bytes of another protocol', 'SSH-2.0-OpenSSH\r\n', /not JSON/],
  ])('refuses %s as greeting', async (_what, hello, why) => {
    await using server = await FakeQmpServer.start(hello);
    await expect(QmpClient.connect(server.path)).rejects.toThrow(coded('ERR_CBT_BACKEND_PROTOCOL', why));
  });

  // QEMU answers a command that was running when its client was lost to whoever is connected by then.
  it('drops what was meant for the client before, until its own negotiation is answered', async () => {
    const late = [
      { return: { of: 'another' }, id: '1' },
      { return: {} },
      { error: { class: 'GenericError', desc: 'another' }, id: '186' },
      { error: { class: 'GenericError', desc: 'without id' } },
    ];
    const lines = (messages: object[]) =>
      messages.map((message) => `${JSON.stringify(message)}\r\n`).join('');
    const event = { event: 'E', timestamp: { seconds: 1, microseconds: 2 } };
    await using server = await FakeQmpServer.start(lines([...late, event, GREETING, ...late]));
    const connecting = QmpClient.connect(server.path);
    const { command, socket } = await server.receive();
    expect(command.execute).toBe('qmp_capabilities');
    socket.write(lines([...late, { return: {}, id: command.id }]));
    await using client = await connecting;
    const run = client.execute('a');
    await server.answer('mine');
    expect(await run).toBe('mine');
    await expect(Promise.all([client.execute('b'), server.answer(() => late[0] ?? {})])).rejects.toThrow(
      coded('ERR_CBT_BACKEND_PROTOCOL', 'expected'),
    );
  });

  it('never takes the answer to another negotiation for its own', async () => {
    const ids = await Promise.all(
      Array.from({ length: 2 }, async () => {
        await using server = await FakeQmpServer.start();
        const [client, command] = await Promise.all([QmpClient.connect(server.path), server.answer()]);
        await client.close();
        return command.id;
      }),
    );
    expect(ids[0]).not.toBe(ids[1]);
  });

  it('says so when the other end hangs up instead of greeting', async () => {
    await using server = await FakeQmpServer.start(null);
    const connecting = QmpClient.connect(server.path);
    await eventually(() => expect(server.connections).toBe(1));
    server.cut();
    await expect(connecting).rejects.toThrow(coded('ERR_CBT_BACKEND_UNAVAILABLE', /before any greeting/));
  });

  it('names the socket that is not there, and the path that is too long', async () => {
    await expect(QmpClient.connect('/nonexistent/qmp')).rejects.toThrow(
      coded('ERR_CBT_BACKEND_UNAVAILABLE', /\/nonexistent\/qmp.*no such socket/),
    );
    await expect(QmpClient.connect(`/tmp/${'x'.repeat(103)}`)).rejects.toThrow(
      coded('ERR_CBT_INVALID_ARGUMENT', /107 bytes/),
    );
    await expect(QmpClient.connect('')).rejects.toThrow(coded('ERR_CBT_INVALID_ARGUMENT', /1 to 107/));
  });

  it('can be cancelled while it waits', async () => {
    await using server = await FakeQmpServer.start(null);
    const abort = new AbortController();
    const connecting = QmpClient.connect(server.path, { signal: abort.signal });
    abort.abort();
    await expect(connecting).rejects.toThrow(coded('ERR_CBT_ABORTED', 'cancelled'));
    await expect(QmpClient.connect(server.path, { signal: abort.signal })).rejects.toThrow(
      coded('ERR_CBT_ABORTED', 'cancelled'),
    );
  });
});

describe('commands', () => {
  it('matches replies by id, in order', async () => {
    await using pair = await connected();
    const replies = Promise.all([pair.client.execute('a'), pair.client.execute('b', { x: 1 })]);
    expect(await pair.server.answer('first')).toMatchObject({ execute: 'a' });
    expect(await pair.server.answer('second')).toMatchObject({ execute: 'b', arguments: { x: 1 } });
    expect(await replies).toEqual(['first', 'second']);
  });

  it('reads many replies and events that come in one chunk', async () => {
    await using pair = await connected();
    const events = pair.client.events();
    const replies = Promise.all([pair.client.execute('a'), pair.client.execute('b')]);
    const { command: a } = await pair.server.receive();
    const { command: b } = await pair.server.receive();
    const event = '{"event":"E","timestamp":{"seconds":1,"microseconds":2}}';
    pair.server.send(`{"return":1,"id":"${a.id}"}\r\n${event}\r\n{"id":"${b.id}","return":2}\r\n`);
    expect(await replies).toEqual([1, 2]);
    expect((await events.next()).value).toMatchObject({ event: 'E' });
  });

  it('turns a refusal into an error with command, class and words', async () => {
    await using pair = await connected();
    const run = pair.client.execute('blockdev-del', { 'node-name': 'x' });
    await pair.server.answer(({ id }: { id?: unknown }) => ({
      id,
      error: { class: 'GenericError', desc: 'Node x is in use' },
    }));
    const error = await run.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(QmpCommandError);
    expect(error).toMatchObject({
      name: 'CbtError',
      code: 'ERR_CBT_BACKEND_UNAVAILABLE',
      reason: 'BUSY',
      command: 'blockdev-del',
      qmpClass: 'GenericError',
      description: 'Node x is in use',
      details: { command: 'blockdev-del', qmpClass: 'GenericError' },
    });
    expect(pair.client.open).toBe(true);
  });

  it('calls an unknown command unsupported', async () => {
    await using pair = await connected();
    const run = pair.client.execute('new-thing');
    await pair.server.answer(({ id }: { id?: unknown }) => ({
      id,
      error: { class: 'CommandNotFound', desc: 'no' },
    }));
    await expect(run).rejects.toThrow(coded('ERR_CBT_UNSUPPORTED', 'new-thing'));
  });

  it.each<[string, (ids: string[]) => object | string]>([
    ['an id of nobody', () => ({ return: {}, id: 'cbt-77' })],
    ['the id of the second command', (ids) => ({ return: {}, id: ids[1] })],
    ['no id', () => ({ return: {} })],
    ['an error without id', () => ({ error: { class: 'GenericError', desc: 'JSON parse error' } })],
    ['a wide number as id', () => '{"return":{},"id":9007199254740993}\n'],
    ['an error of another form', (ids) => ({ error: 'no', id: ids[0] })],
    ['neither reply nor event', () => ({ hello: 1 })],
    ['an event without time', () => ({ event: 'X' })],
    ['a second greeting', () => GREETING],
    ['a line that is not JSON', () => '{"return":\n'],
  ])('ends the connection on %s', async (_what, reply) => {
    await using pair = await connected();
    const runs = Promise.allSettled([pair.client.execute('a'), pair.client.execute('b')]);
    const ids = [
      String((await pair.server.receive()).command.id),
      String((await pair.server.receive()).command.id),
    ];
    pair.server.send(reply(ids));
    for (const run of await runs) {
      expect(run).toMatchObject({ status: 'rejected', reason: { code: 'ERR_CBT_BACKEND_PROTOCOL' } });
    }
    await expect(pair.client.execute('c')).rejects.toThrow(
      coded('ERR_CBT_BACKEND_PROTOCOL', pair.server.path),
    );
    expect(pair.client.open).toBe(false);
  });

  it('ends the connection on a line past the limit', async () => {
    await using pair = await connected({ maxLineBytes: 1000 });
    const run = pair.client.execute('a');
    pair.server.send(Buffer.alloc(1001, 0x20));
    await expect(run).rejects.toThrow(coded('ERR_CBT_BACKEND_PROTOCOL', '1000 bytes'));
  });

  it('gives up at the time-out, drops the late reply, and goes on', async () => {
    await using pair = await connected();
    await expect(pair.client.execute('slow', undefined, { timeoutMs: 20 })).rejects.toThrow(
      coded('ERR_CBT_TIMEOUT', /slow in 20 ms/),
    );
    const next = pair.client.execute('next');
    await pair.server.answer('late');
    await pair.server.answer('in time');
    expect(await next).toBe('in time');
  });

  it('gives up when cancelled, drops the late reply, and goes on', async () => {
    await using pair = await connected();
    const abort = new AbortController();
    const run = pair.client.execute('slow', undefined, { signal: abort.signal });
    abort.abort();
    await expect(run).rejects.toThrow(coded('ERR_CBT_ABORTED', 'cancelled'));
    const next = pair.client.execute('next');
    await pair.server.answer(({ id }: { id?: unknown }) => ({
      id,
      error: { class: 'GenericError', desc: 'late' },
    }));
    await pair.server.answer('in time');
    expect(await next).toBe('in time');
    await expect(pair.client.execute('x', undefined, { signal: abort.signal })).rejects.toThrow(/cancelled/);
    await expect(pair.client.execute('x', undefined, { timeoutMs: -1 })).rejects.toThrow(/timeoutMs is -1/);
  });

  it('rejects everything pending when the connection is lost, naming the socket', async () => {
    await using pair = await connected();
    const events = pair.client.events();
    const runs = Promise.allSettled([
      pair.client.execute('a'),
      pair.client.execute('b'),
      pair.client.waitEvent(() => true),
      events.next(),
    ]);
    await pair.server.receive();
    pair.server.send('{"return": {}, "id"');
    pair.server.cut();
    for (const run of await runs) {
      const reason = { code: 'ERR_CBT_CONNECTION_LOST', recovery: 'reconnect' };
      expect(run).toMatchObject({ status: 'rejected', reason });
      expect(String((run as PromiseRejectedResult).reason)).toContain(pair.server.path);
    }
    await expect(pair.client.execute('c')).rejects.toThrow(coded('ERR_CBT_CONNECTION_LOST', /is gone/));
    await expect(pair.client.waitEvent(() => true)).rejects.toThrow(/is gone/);
    expect(pair.server.connections).toBe(1);
  });

  it('ends what is pending as closed when we close', async () => {
    await using pair = await connected();
    const events = pair.client.events();
    const run = pair.client.execute('a');
    const closing = pair.client.close();
    await expect(run).rejects.toThrow(coded('ERR_CBT_CLOSED', pair.server.path));
    expect(await events.next()).toEqual({ done: true, value: undefined });
    await closing;
    await pair.client.close();
  });

  it('checks replies: names the member, its value and its limit', async () => {
    await using pair = await connected();
    const run = qmp(pair.client, 'query-jobs').catch((e: unknown) => e);
    await pair.server.answer([
      { id: 'j', type: 'backup', status: 7, 'current-progress': 0, 'total-progress': 0 },
    ]);
    expect(await run).toEqual(coded('ERR_CBT_BACKEND_PROTOCOL', /query-jobs.*0\.status/));
    const nodes = qmp(pair.client, 'query-named-block-nodes', { flat: true }).catch((e: unknown) => e);
    await pair.server.answer(({ id }: { id?: unknown }) => ({
      id,
      return: [
        {
          'node-name': 'd',
          drv: 'raw',
          file: 'f',
          ro: false,
          image: { filename: 'f', format: 'raw', 'virtual-size': -1 },
        },
      ],
    }));
    expect(await nodes).toEqual(
      coded(
        'ERR_CBT_BACKEND_PROTOCOL',
        /image\.virtual-size: is -1, expected an integer from 0 to 9007199254740991/,
      ),
    );
    const wide = qmp(pair.client, 'query-named-block-nodes').catch((e: unknown) => e);
    const { command } = await pair.server.receive();
    pair.server.send(
      `{"id":"${command.id}","return":[{"node-name":"d","drv":"raw","file":"f","ro":false,"image":{"filename":"f","format":"raw","virtual-size":9223372036854775807}}]}\n`,
    );
    expect(await wide).toEqual(
      coded('ERR_CBT_BACKEND_PROTOCOL', /virtual-size: is 9223372036854775807, expected/),
    );
    expect(pair.client.open).toBe(true);
  });

  it('keeps members of a newer QEMU', async () => {
    await using pair = await connected();
    const run = qmp(pair.client, 'query-block-exports');
    await pair.server.answer([{ id: 'e', type: 'nbd', 'node-name': 'n', 'shutting-down': false, new: [1] }]);
    expect(await run).toEqual([{ id: 'e', type: 'nbd', 'node-name': 'n', 'shutting-down': false, new: [1] }]);
  });
});
