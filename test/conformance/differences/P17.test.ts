/** docs/differences.md, P17. */
import { expect, test } from 'vitest';
import { prlFacts } from '../../helpers/prlFacts.js';

test('P17: in C, an event handler does not end or begin the library', async () => {
  expect(await prlFacts()).toMatchObject({ inside: '80000009 80000009' });
});
