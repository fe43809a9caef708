/**
 * The promises of `QmpPort` that whoever speaks to a QEMU stands on: answers in the order of asking, waits that end by themselves and
 * leave the connection whole, events that are told or said to be lost, and an end that everybody learns of with its reason. At the other
 * end is always a real QEMU, which the test stops where it is to be silent.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { QmpCommandError } from '../../lib/backend/qemu/qmp/qmpError.js';
import type { QmpPort } from '../../lib/backend/qemu/qmp/qmpPort.js';
import type { QmpEvent } from '../../lib/backend/qemu/qmp/schemas.js';
import type { CbtError } from '../../lib/core/errors.js';
import { eventually } from '../helpers/eventually.js';
import type { QemuProcess } from '../helpers/qemuProcess.js';
import { refusalOf } from '../helpers/refusal.js';

export interface PortSubject extends AsyncDisposable {
  qemu: QemuProcess;
  connect(): Promise<QmpPort>;
}

const SHORT_MS = 60;

/** What QEMU tells of a job from its beginning to its end. */
const LIFE = ['created', 'running', 'waiting', 'pending', 'concluded', 'null'];
const lifeOf = (job: string): string[] => LIFE.map((status) => `${job} ${status}`);
const told = ({ event, data }: QmpEvent): string[] =>
  event === 'JOB_STATUS_CHANGE' ? [`${data?.['id']} ${data?.['status']}`] : [];

async function runJob(port: QmpPort, qemu: QemuProcess, id: string): Promise<void> {
  const options = { driver: 'file', filename: qemu.file(`${id}.raw`), size: 512 };
  await port.execute('blockdev-create', { 'job-id': id, options });
  await eventually(async () =>
    expect(await port.execute('query-jobs')).toMatchObject([{ id, status: 'concluded' }]),
  );
  await port.execute('job-dismiss', { id });
}

/** What the next `count` changes of jobs were. */
async function next(events: AsyncIterator<QmpEvent>, count: number): Promise<string[]> {
  const heard: string[] = [];
  while (heard.length < count) {
    const { done, value } = await events.next();
    if (done === true) break;
    heard.push(...told(value));
  }
  return heard;
}

export function qmpPortContract(maker: string, make: () => Promise<PortSubject>): void {
  describe(`a port to QEMU, ${maker}`, () => {
    let subject: PortSubject;
    let port: QmpPort;
    beforeAll(async () => {
      subject = await make();
    });
    afterAll(() => subject?.[Symbol.asyncDispose]());
    beforeEach(async () => {
      port = await subject.connect();
    });
    afterEach(async () => {
      speak();
      await port?.close();
    });

    const fallSilent = (): void => void subject.qemu.child.kill('SIGSTOP');
    const speak = (): void => void subject.qemu.child.kill('SIGCONT');
    const nodes = async (): Promise<string[]> => {
      const found = (await port.execute('query-named-block-nodes')) as { 'node-name': string }[];
      return found.map((node) => node['node-name']);
    };
    const add = (node: string): Promise<unknown> =>
      port.execute('blockdev-add', { driver: 'null-co', 'node-name': node, size: 65_536 });
    const remove = (node: string): Promise<unknown> => port.execute('blockdev-del', { 'node-name': node });
    test('says who it is, and that it is open', async () => {
      expect(port.name).not.toBe('');
      expect(port.host.key).not.toBe('');
      expect(port.open).toBe(true);
      expect(port.version?.qemu.major ?? 7).toBeGreaterThanOrEqual(7);
    });

    test('what is asked without waiting is done and answered in that order, a refusal in its place', async () => {
      const settled: string[] = [];
      const ask = (name: string, command: string, args?: object): Promise<unknown> =>
        port.execute(command, args).finally(() => settled.push(name));
      const node = { 'node-name': 'one' };
      const [, present, unknown, twice, , absent] = await Promise.allSettled([
        ask('add', 'blockdev-add', { driver: 'null-co', size: 65_536, ...node }),
        ask('with', 'query-named-block-nodes'),
        ask('refused', 'no-such-command'),
        ask('again', 'blockdev-add', { driver: 'null-co', ...node }),
        ask('remove', 'blockdev-del', node),
        ask('without', 'query-named-block-nodes'),
      ]);
      expect(present).toMatchObject({ value: expect.arrayContaining([expect.objectContaining(node)]) });
      expect(absent).not.toMatchObject({ value: expect.arrayContaining([expect.objectContaining(node)]) });
      expect(absent.status).toBe('fulfilled');
      const [noSuch, inUse] = [unknown, twice].map((end) => end.status === 'rejected' && end.reason);
      expect(noSuch).toBeInstanceOf(QmpCommandError);
      expect(noSuch).toMatchObject({ qmpClass: 'CommandNotFound', command: 'no-such-command' });
      expect(inUse).toMatchObject({ qmpClass: 'GenericError', command: 'blockdev-add' });
      expect(settled).toEqual(['add', 'with', 'refused', 'again', 'remove', 'without']);
    });

    test('an answer comes whole, however long it is, and in every letter', async () => {
      const schema = await port.execute('query-qmp-schema');
      expect(schema).toEqual(await subject.qemu.control.execute('query-qmp-schema'));
      const filename = subject.qemu.file('Zürich 😀 "\\".raw');
      const refused = await refusalOf(
        port.execute('blockdev-add', { driver: 'file', 'node-name': 'file', filename }),
      );
      expect(refused.message).toContain(filename);
    });

    test('waits no longer than it was told to, also behind another command, and goes on as ever', async () => {
      fallSilent();
      const first = add('late');
      const started = performance.now();
      const ends = [
        refusalOf(port.execute('query-block', undefined, { timeoutMs: SHORT_MS })),
        refusalOf(port.execute('query-jobs', undefined, { signal: AbortSignal.timeout(SHORT_MS) })),
        refusalOf(port.waitEvent(() => true, { timeoutMs: SHORT_MS })),
        refusalOf(port.waitEvent(() => true, { signal: AbortSignal.timeout(SHORT_MS) })),
      ];
      const ended = await Promise.all(ends);
      expect(ended.map(({ code }) => code)).toEqual([
        'ERR_CBT_TIMEOUT',
        'ERR_CBT_ABORTED',
        'ERR_CBT_TIMEOUT',
        'ERR_CBT_ABORTED',
      ]);
      expect(ended[0]).toMatchObject({
        message: expect.stringContaining('query-block'),
        details: { command: 'query-block', timeoutMs: SHORT_MS },
      });
      expect(performance.now() - started).toBeLessThan(5000);
      const after = nodes();
      speak();
      await first;
      // Nobody gets the answer that another one did not wait for.
      expect(await after).toContain('late');
      expect(port.open).toBe(true);
      await remove('late');
    });

    test('one that is given up before its turn leaves the rest in theirs', async () => {
      fallSilent();
      const abort = new AbortController();
      const asked = [add('x'), refusalOf(port.execute('query-block', undefined, abort)), nodes()] as const;
      abort.abort();
      expect(await asked[1]).toMatchObject({ code: 'ERR_CBT_ABORTED' });
      speak();
      expect(await asked[2]).toContain('x');
      expect(await refusalOf(port.execute('query-block', undefined, abort))).toMatchObject({
        code: 'ERR_CBT_ABORTED',
      });
      await remove('x');
    });

    test('refuses what is no time or no JSON before anything is sent', async () => {
      for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
        const argument = { code: 'ERR_CBT_INVALID_ARGUMENT', details: { argument: 'timeoutMs' } };
        expect(await refusalOf(port.execute('query-block', undefined, { timeoutMs }))).toMatchObject(
          argument,
        );
        expect(await refusalOf(port.waitEvent(() => true, { timeoutMs }))).toMatchObject(argument);
      }
      expect(await nodes()).toEqual(expect.any(Array));
    });

    test('tells every event from then on, to all who listen, in QEMU’s order', async () => {
      await runJob(port, subject.qemu, 'before');
      const [one, two, gone] = [port.events(), port.events(), port.events()];
      await gone.return?.();
      const wanted = port.waitEvent((event) => told(event).includes('job concluded'));
      await runJob(port, subject.qemu, 'job');
      expect(await next(one, LIFE.length)).toEqual(lifeOf('job'));
      expect(await wanted).toMatchObject({ event: 'JOB_STATUS_CHANGE', timestamp: expect.any(Object) });
      await runJob(port, subject.qemu, 'after');
      expect(await next(two, 2 * LIFE.length)).toEqual([...lifeOf('job'), ...lifeOf('after')]);
      expect(await gone.next()).toMatchObject({ done: true });
    });

    test('a question about events that fails ends its own wait, and nobody else’s', async () => {
      const events = port.events();
      const failing = port.waitEvent(() => {
        throw new RangeError('not so');
      });
      await runJob(port, subject.qemu, 'job');
      await expect(failing).rejects.toThrow(RangeError);
      expect(await next(events, LIFE.length)).toEqual(lifeOf('job'));
      // Nobody waits for this one's end.
      void port.waitEvent(() => false, { timeoutMs: 1 });
    });

    test('closed by us: what is pending, and whatever comes after, learns that; QEMU goes on', async () => {
      const events = port.events();
      fallSilent();
      const pending = [refusalOf(add('kept')), refusalOf(nodes()), refusalOf(port.waitEvent(() => true))];
      await Promise.all([port.close(), port.close()]);
      speak();
      pending.push(refusalOf(port.execute('query-block')), refusalOf(port.waitEvent(() => true)));
      pending.push(port.ended);
      for (const end of await Promise.all(pending)) expect(end.code).toBe('ERR_CBT_CLOSED');
      expect(port.open).toBe(false);
      expect(await events.next()).toMatchObject({ done: true });
      expect(await port.events().next()).toMatchObject({ done: true });
      port = await subject.connect();
      if ((await nodes()).includes('kept')) await remove('kept');
      expect(port.open).toBe(true);
    });

    test('lost with its QEMU: that is another end, which all learn of, after the events that came', async () => {
      const own = await make();
      const lost = await own.connect();
      try {
        const [events, waiting] = [lost.events(), refusalOf(lost.waitEvent(() => false))];
        await runJob(lost, own.qemu, 'job');
        own.qemu.child.kill('SIGSTOP');
        const pending = [refusalOf(lost.execute('query-block')), refusalOf(lost.execute('query-jobs'))];
        await own.qemu.kill();
        const ends: CbtError[] = await Promise.all([...pending, waiting, lost.ended]);
        ends.push(await refusalOf(lost.execute('query-block')), await refusalOf(lost.waitEvent(() => true)));
        for (const end of ends) expect(end.code, end.message).toBe('ERR_CBT_CONNECTION_LOST');
        expect(lost.open).toBe(false);
        expect(await next(events, LIFE.length)).toEqual(lifeOf('job'));
        expect(await refusalOf(events.next())).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
      } finally {
        await lost.close();
        await own[Symbol.asyncDispose]();
      }
      expect(await lost.ended).toMatchObject({ code: 'ERR_CBT_CONNECTION_LOST' });
    });
  });
}
