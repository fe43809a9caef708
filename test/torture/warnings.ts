/** What Node warns of (listeners that pile up, a promise that nobody waits for) is a bug of ours. */
import { expect } from 'vitest';

const seen: string[] = [];
process.on('warning', (warning) => seen.push(String(warning.stack ?? warning)));

export function expectNoWarnings(): void {
  expect(seen.splice(0), 'warnings of Node').toEqual([]);
}

/** The same of a command's stderr. */
export function expectNoWarningsIn(said: string): void {
  expect(/^\(node:\d+\) .*$/m.exec(said)?.[0], said).toBeUndefined();
}
