/** Names of what a question makes in QEMU: they fit, they say whose they are, and nothing else is taken for one. */
import { expect, test } from 'vitest';
import { parseId } from '../../../../../lib/backend/qemu/own/ids.js';
import { isOwnName, MAX_ID_LENGTH } from '../../../../../lib/backend/qemu/own/ownNames.js';
import { askerOf, makeQueryId } from '../../../../../lib/backend/qemu/own/queryIds.js';
import { ownMark, stateOf } from '../../../../../lib/linux/processMark.js';

test('a name fits, is ours, and leads back to this process', async () => {
  const mark = await ownMark();
  for (const index of [0, 1, 999_999, 1_000_000]) {
    const id = makeQueryId(mark, index);
    expect(id.length).toBeLessThanOrEqual(MAX_ID_LENGTH);
    expect(isOwnName(id)).toBe(true);
    // Never a session's part.
    expect(parseId(id)).toBeNull();
    expect(askerOf(id)).toBe(mark);
  }
  expect(await stateOf(askerOf(makeQueryId(mark, 1))!)).toBe('alive');
});

test.each([
  'cbtx',
  'cbtx-',
  'cbtx-00000100000000010',
  'cbtx-0000010000000001-',
  'cbtx-0000010000000001-1234567',
  'cbtx-000001000000000g-1',
  'CBTX-0000010000000001-1',
  'xcbtx-0000010000000001-1',
  'cbtx-0000010000000001-1\n',
])('%j is no name of a question', (id) => expect(askerOf(id)).toBeNull());
