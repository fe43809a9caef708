/** Connections are shared, and each caller waits by his own signal and time. */
import { expect, test, vi } from 'vitest';
import type { QmpPort } from '../../../../lib/backend/qemu/qmp/qmpPort.js';
import { acquireConnection, releaseConnection } from '../../../../lib/backend/qemu/vmConnection.js';
import type { WayToQemu } from '../../../../lib/backend/qemu/wayToQemu.js';
import { CbtError } from '../../../../lib/core/errors.js';
import { eventually } from '../../../helpers/eventually.js';
import { refusalOf } from '../../../helpers/refusal.js';

class Monitor {
  made = 0;
  open = true;
  end: (why: CbtError) => void = () => undefined;
  let: (() => void) | null = null;
  readonly way: WayToQemu;

  constructor(key: string, { waits = false } = {}) {
    const through = new Promise<void>((resolve) => {
      this.let = resolve;
    });
    if (!waits) this.let?.();
    const connect = async (): Promise<QmpPort> => {
      this.made += 1;
      await through;
      this.open = true;
      const monitor = this;
      const ended = new Promise<CbtError>((resolve) => {
        this.end = (why) => {
          this.open = false;
          resolve(why);
        };
      });
      const port = {
        name: key,
        get open() {
          return monitor.open;
        },
        ended,
        close: async () => monitor.end(new CbtError('ERR_CBT_CLOSED', 'closed')),
      };
      return port as unknown as QmpPort;
    };
    this.way = { address: key, identity: async () => key, connect } as unknown as WayToQemu;
  }
}

test('is one for all, and closed by the last who leaves', async () => {
  const monitor = new Monitor('/one');
  const [a, b] = await Promise.all([acquireConnection(monitor.way), acquireConnection(monitor.way)]);
  expect(b).toBe(a);
  expect(monitor.made).toBe(1);
  await releaseConnection(a);
  expect(monitor.open).toBe(true);
  await releaseConnection(b);
  expect([monitor.open, a.lost.aborted]).toEqual([false, false]);
});

test('one that is lost says so, and whoever comes next has a new one', async () => {
  const monitor = new Monitor('/lost');
  const first = await acquireConnection(monitor.way);
  const why = new CbtError('ERR_CBT_CONNECTION_LOST', 'gone');
  monitor.end(why);
  await eventually(() => expect(first.lost.reason).toBe(why));
  const second = await acquireConnection(monitor.way);
  expect(second).not.toBe(first);
  expect(second.lost.aborted).toBe(false);
  await releaseConnection(first);
  expect(monitor.open).toBe(false);
  await releaseConnection(second);
});

test('waiting for another who connects ends by one’s own signal and time, and harms him not', async () => {
  const monitor = new Monitor('/slow', { waits: true });
  const first = acquireConnection(monitor.way);
  const abort = new AbortController();
  const cancelled = refusalOf(acquireConnection(monitor.way, { signal: abort.signal }));
  const late = refusalOf(acquireConnection(monitor.way, { timeoutMs: 20 }));
  expect(await late).toMatchObject({ code: 'ERR_CBT_TIMEOUT', reason: 'BUSY', details: { timeoutMs: 20 } });
  abort.abort();
  expect(await cancelled).toMatchObject({ code: 'ERR_CBT_ABORTED' });
  const third = acquireConnection(monitor.way);
  // Leaving another one is not held up by it.
  const other = new Monitor('/other');
  await releaseConnection(await acquireConnection(other.way));
  monitor.let?.();
  const connection = await first;
  expect(await third).toBe(connection);
  expect(monitor.made).toBe(1);
  await releaseConnection(connection);
  await releaseConnection(connection);
  expect(monitor.open).toBe(false);
});

test('another copy of the library in this process shares it', async () => {
  const place = globalThis as Record<symbol, Map<string, unknown> | undefined>;
  const monitor = new Monitor('/copies');
  const mine = await acquireConnection(monitor.way);
  expect(place[Symbol.for('qemu-cbt.connections.1')]?.has('/copies')).toBe(true);
  vi.resetModules();
  const copy = await import('../../../../lib/backend/qemu/vmConnection.js');
  expect(copy.acquireConnection).not.toBe(acquireConnection);
  expect(await copy.acquireConnection(monitor.way)).toBe(mine);
  await copy.releaseConnection(mine);
  expect(monitor.open).toBe(true);
  await releaseConnection(mine);
  expect(monitor.open).toBe(false);
});
