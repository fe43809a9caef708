import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { onAbort } from '../../../lib/core/onAbort.js';
import { createVm } from '../../../lib/testing/index.js';

describe('onAbort', () => {
  it('has one listener for all who wait, and none when nobody does', () => {
    const { signal } = new AbortController();
    const callOffs = Array.from({ length: 100 }, () => onAbort(signal, () => undefined));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const callOff of callOffs) callOff();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    callOffs[0]?.();
    onAbort(signal, () => undefined);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  });

  it('is what every call waits by: twenty that share a signal are no leak to Node', async () => {
    const warned: Error[] = [];
    const warn = (warning: Error): void => void warned.push(warning);
    process.on('warning', warn);
    try {
      const machine = await createVm({ disks: { vda: { sizeBytes: 1 << 20 } } });
      machine.fault({ call: 'facts', happens: 'delay', delayMs: 20, times: 20 });
      await using vm = await machine.connect();
      const { signal } = new AbortController();
      const asking = Array.from({ length: 20 }, () => vm.facts({ signal }));
      await setImmediate();
      expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(10);
      await Promise.all(asking);
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      // A warning is emitted on a later turn.
      await setImmediate();
    } finally {
      process.off('warning', warn);
    }
    expect(warned.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
  });

  it('tells each once, those that called off never, also when one calls another off', () => {
    const abort = new AbortController();
    const [first, second, third] = [vi.fn(), vi.fn(), vi.fn()];
    const act = vi.fn();
    onAbort(abort.signal, first);
    onAbort(abort.signal, act);
    onAbort(abort.signal, act);
    onAbort(abort.signal, second)();
    const calling = { off: (): void => undefined };
    onAbort(abort.signal, () => calling.off());
    calling.off = onAbort(abort.signal, third);
    abort.abort();
    expect(first).toHaveBeenCalledOnce();
    expect(act).toHaveBeenCalledTimes(2);
    expect(second).not.toHaveBeenCalled();
    expect(third).not.toHaveBeenCalled();
    expect(() => onAbort(undefined, first)()).not.toThrow();
  });
});
