/** docs/differences.md, P16. */
import { expect, test } from 'vitest';
import { prlFacts } from '../../helpers/prlFacts.js';

test('P16: in C, what is not here is not implemented, a login over a network among it', async () => {
  expect(await prlFacts()).toMatchObject({ absent: '80000008', login: '80000008' });
});
