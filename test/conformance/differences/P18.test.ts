/** docs/differences.md, P18. */
import { expect, test } from 'vitest';
import { prlFacts } from '../../helpers/prlFacts.js';

test('P18: in C, a copy of the process has no library', async () => {
  expect(await prlFacts()).toMatchObject({ copy: '80000287' });
});
