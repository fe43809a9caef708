/** Every difference that is listed has its test, and every test its line. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('the list and the tests are the same', () => {
  const text = readFileSync(new URL('../../../docs/differences.md', import.meta.url), 'utf8');
  const listed = [...text.matchAll(/^\| ([PVX]\d+) \|/gm)].map(([, number]) => number).sort();
  const tested = readdirSync(new URL('.', import.meta.url))
    .flatMap((file) => /^([PVX]\d+)\.test\.ts$/.exec(file)?.[1] ?? [])
    .sort();
  expect(listed).toEqual(tested);
});
