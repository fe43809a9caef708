import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { onAbort } from '../../../lib/core/onAbort.js';

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
