/** What is told on the channels: order, names, failures; and nothing at all where nobody listens. */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { type Logger, logging } from '../../../lib/watch/logger.js';
import { CHANNELS, MESSAGE_FIELDS, type WatchMessage } from '../../../lib/watch/messages.js';
import { redacted } from '../../../lib/watch/redacted.js';
import { tellBroken, traced, tracedPieces } from '../../../lib/watch/tracing.js';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** Everything that is told, by the name of its event. */
function listen(name: string): [string, WatchMessage][] {
  const told: [string, WatchMessage][] = [];
  const events = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
  const listeners = Object.fromEntries(
    events.map((event) => [event, (message: unknown) => void told.push([event, message as WatchMessage])]),
  );
  const traces = tracingChannel(name);
  traces.subscribe(listeners as never);
  stops.push(() => void traces.unsubscribe(listeners as never));
  return told;
}

const begun = () => ({ operation: 'commit', vm: 'web', pit: 'p', session: 'p', disks: null });

describe('an operation', () => {
  test('is told from its start to its end, in one message', async () => {
    const told = listen('qemu-cbt:session');
    const work = async (): Promise<number> => {
      await setImmediate();
      return 7;
    };
    const result = await traced('qemu-cbt:session', begun, work, (message) => {
      message.disks = ['vda'];
    });
    expect(result).toBe(7);
    expect(told.map(([event]) => event)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    const [message] = told.map(([, one]) => one);
    expect(new Set(told.map(([, one]) => one)).size).toBe(1);
    expect(message).toEqual({
      operation: 'commit',
      vm: 'web',
      disk: null,
      pit: 'p',
      session: 'p',
      disks: ['vda'],
      durationMs: expect.any(Number),
      error: null,
    });
  });

  test('that fails is told with its error, and the error is the caller’s all the same', async () => {
    const told = listen('qemu-cbt:session');
    const error = new CbtError('ERR_CBT_TIMEOUT', 'slow');
    await expect(traced('qemu-cbt:session', begun, () => Promise.reject(error))).rejects.toBe(error);
    expect(told.map(([event]) => event)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(told.at(-1)?.[1].error).toBe(error);
  });

  test('within another takes the names from it', async () => {
    const told = listen('qemu-cbt:qmp');
    listen('qemu-cbt:session');
    const ask = () =>
      traced(
        'qemu-cbt:qmp',
        () => ({ operation: 'query-jobs', vm: 'web', arguments: null }),
        async () => undefined,
      );
    await traced('qemu-cbt:session', begun, ask);
    await ask();
    expect(told.filter(([event]) => event === 'asyncEnd').map(([, { session }]) => session)).toEqual([
      'p',
      null,
    ]);
  });

  test('makes no message where nobody listens', async () => {
    const never = (): never => {
      throw new Error('made all the same');
    };
    expect(await traced('qemu-cbt:session', never, async () => 1)).toBe(1);
    tellBroken(never, null);
    const pieces = (async function* () {
      yield 1;
    })();
    expect(tracedPieces(never, pieces, () => 1)).toBe(pieces);
  });
});

test('a stream that fails is told with its error and the bytes that came before', async () => {
  const told = listen('qemu-cbt:stream');
  const gone = new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'gone');
  const pieces = (async function* () {
    yield Buffer.alloc(5);
    throw gone;
  })();
  const read = async (): Promise<void> => {
    const begun = () => ({ operation: 'stream', bytes: 0 });
    for await (const _ of tracedPieces(begun, pieces, ({ length }) => length)) await setImmediate();
  };
  await expect(read()).rejects.toBe(gone);
  await setImmediate();
  expect(told.at(-1)).toMatchObject(['asyncEnd', { bytes: 5, error: gone }]);
});

test.each([
  ['to its end', Number.POSITIVE_INFINITY, 6],
  ['until its reader leaves', 2, 3],
])('a stream is one operation, %s, with the bytes that came', async (_, most, bytes) => {
  const told = listen('qemu-cbt:stream');
  const pieces = (async function* () {
    for (const length of [1, 2, 3]) yield Buffer.alloc(length);
  })();
  let seen = 0;
  for await (const _piece of tracedPieces(
    () => ({ operation: 'stream', bytes: 0 }),
    pieces,
    ({ length }) => length,
  )) {
    seen += 1;
    if (seen === most) break;
  }
  await setImmediate();
  expect(told.at(-1)).toMatchObject(['asyncEnd', { operation: 'stream', bytes, error: null }]);
});

describe('arguments of QMP commands', () => {
  test('show names, numbers and flags', () => {
    const args = {
      actions: [{ type: 'block-dirty-bitmap-add', data: { node: 'n', name: 'b', persistent: true } }],
    };
    expect(redacted('transaction', args)).toEqual(args);
    expect(redacted('query-jobs', undefined)).toBeNull();
  });

  test('show nothing that may be a secret', () => {
    const SECRET = 'hunter2';
    for (const [command, args] of [
      ['object-add', { 'qom-type': 'secret', id: 's', data: SECRET }],
      ['set_password', { protocol: 'vnc', password: SECRET }],
      ['human-monitor-command', { 'command-line': `change vnc ${SECRET}` }],
      ['blockdev-add', { driver: 'raw', file: { driver: 'https', url: `https://u:${SECRET}@host/` } }],
      ['blockdev-add', { 'node-name': 'n', file: `json:{"password":"${SECRET}"}` }],
      ['drive-mirror', { device: 'd', target: `https://u:${SECRET}@host/` }],
      ['drive-backup', { device: 'd', target: `json:{"driver":"raw","password":"${SECRET}"}` }],
      ['some-command-to-come', { key: [SECRET], nested: { a: { b: SECRET } } }],
    ] as const)
      expect(JSON.stringify(redacted(command, args)), command).not.toContain(SECRET);
  });
});

describe('a logger', () => {
  function loggerOf(): { lines: [string, object, string][]; logger: Logger } {
    const lines: [string, object, string][] = [];
    const level = (name: string) => (fields: object, text: string) => void lines.push([name, fields, text]);
    const logger = { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') };
    return { lines, logger };
  }
  const work = (how: () => Promise<void>) => () => traced('qemu-cbt:session', begun, how);

  test('hears one line of each operation of its own, by how it ended', async () => {
    const [mine, theirs] = [loggerOf(), loggerOf()];
    await logging(
      mine.logger,
      work(async () => undefined),
    );
    await logging(
      theirs.logger,
      work(async () => undefined),
    );
    await work(async () => undefined)();
    const broken = new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'gone');
    const aborted = new CbtError('ERR_CBT_ABORTED', 'called off');
    for (const error of [broken, aborted])
      await logging(
        mine.logger,
        work(() => Promise.reject(error)),
      ).catch(() => undefined);
    logging(mine.logger, () => tellBroken(() => ({ ...begun(), operation: 'broken' }), broken));
    expect(mine.lines.map(([level]) => level)).toEqual(['info', 'error', 'warn', 'error']);
    expect(mine.lines[0]?.[1]).toMatchObject({ channel: 'qemu-cbt:session', operation: 'commit', vm: 'web' });
    expect(mine.lines[0]?.[2]).toMatch(/^session commit session p done in \d+ ms$/);
    expect(mine.lines[1]).toMatchObject(['error', { err: broken }, expect.stringContaining('gone')]);
    expect(theirs.lines).toHaveLength(1);
  });

  test('that throws ends nothing', async () => {
    const bad = () => {
      throw new Error('disk full');
    };
    await logging(
      { debug: bad, info: bad, warn: bad, error: bad },
      work(async () => undefined),
    );
  });
});

test('docs/observability.md has every channel and every field, and no other', () => {
  const text = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(qemu-cbt:[a-z]+)` \| (.*?) \|/gm)].map(
    ([, name, fields = '']) => [name, [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => field)] as const,
  );
  const [, shared = ''] = /^Every message has (.*?)\.$/m.exec(text) ?? [];
  const every = [...shared.matchAll(/`(\w+)`/g)].map(([, field]) => field);
  expect(rows.map(([name, own]) => [name, [...every, ...own]])).toEqual(
    CHANNELS.map((name) => [name, [...MESSAGE_FIELDS[name]]]),
  );
  // Node makes the events' names; whoever reads the table subscribes to these.
  for (const name of CHANNELS) expect(channel(`tracing:${name}:start`)).toBe(tracingChannel(name).start);
});
