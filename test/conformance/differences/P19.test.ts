/** docs/differences.md, P19. */
import { expect, test } from 'vitest';
import { prlFacts } from '../../helpers/prlFacts.js';

test('P19: in C, handles of a session that was ended are none in the next one', async () => {
  expect(await prlFacts()).toMatchObject({ old: '80000003', on: 'True' });
});
