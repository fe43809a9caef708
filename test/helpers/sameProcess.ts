/** Files that share a process leave it as they found it: a file that did not is named, not the next one that trips over it. */
import { afterAll, expect, vi } from 'vitest';

const surroundings = () => ({
  environment: { ...process.env },
  folder: process.cwd(),
  umask: process.umask(),
});

const before = surroundings();

// Registered first, and so the last of the file to run.
afterAll(() => {
  vi.unstubAllEnvs();
  expect(surroundings()).toEqual(before);
});
