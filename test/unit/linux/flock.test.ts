/** A file server that does not answer is not waited for without end, whoever takes the lock. */
import { afterEach, expect, test, vi } from 'vitest';
import { findAddon } from '../../../lib/kernel/load.js';
import type { NativeAddon } from '../../../lib/kernel/nativeAddon.js';
import { flock } from '../../../lib/linux/flock.js';
import { refusalOf } from '../../helpers/refusal.js';

vi.mock('../../../lib/kernel/load.js', { spy: true });
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const addonThat = (lockFile: NativeAddon['lockFile']): void => {
  vi.mocked(findAddon).mockReturnValue({ lockFile } as NativeAddon);
};

test('no answer in half a minute is a refusal that names the file', async () => {
  vi.useFakeTimers();
  addonThat(() => new Promise(() => undefined));
  const refused = refusalOf(flock(3, 'exclusive', '/nfs/lock.json'));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await refused).toMatchObject({
    code: 'ERR_CBT_UNSUPPORTED',
    message: expect.stringMatching(/\/nfs\/lock\.json cannot be locked: no answer in 30 s/),
  });
  expect(vi.getTimerCount()).toBe(0);
});

test('what the file system refuses is told with the file', async () => {
  addonThat(() => Promise.reject(new Error('the file system refuses a lock: ENOLCK')));
  expect(await refusalOf(flock(3, 'shared', '/nfs/lock.json'))).toMatchObject({
    code: 'ERR_CBT_UNSUPPORTED',
    message: expect.stringContaining('ENOLCK'),
    details: { path: '/nfs/lock.json' },
  });
});
