import { describe, expect, test } from 'vitest';
import { CbtError } from '../../../lib/core/errors.js';
import { searchUuid } from '../../../lib/host/uuidSearch.js';

const UUID = '5f0c4a3e-9a0b-4a57-9f3e-1d2c3b4a5968';
const OTHER = '6f0c4a3e-9a0b-4a57-9f3e-1d2c3b4a5968';
type Told = string | null | Error;
const search = (text: string, told: Record<string, Told>) =>
  searchUuid(text, Object.keys(told), async (vm) => {
    const one = told[vm]!;
    if (one instanceof Error) throw one;
    return one;
  });

describe('VMs with a UUID', () => {
  test('are found in their order, however either side writes it', async () => {
    const told = { a: `{${UUID.toUpperCase()}}`, b: OTHER, c: null, d: UUID.replaceAll('-', '') };
    for (const text of [UUID, `{${UUID}}`, UUID.toUpperCase()])
      expect(await search(text, told)).toEqual({ found: ['a', 'd'], silent: [] });
  });

  test('one that does not tell its own is told of, and hides none of the others', async () => {
    const error = new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', 'silent');
    expect(await search(UUID, { a: error, b: UUID })).toEqual({ found: ['b'], silent: [{ vm: 'a', error }] });
  });

  test.each([
    ['somebody ended it', new CbtError('ERR_CBT_ABORTED', 'ended')],
    ['a mistake of ours', new TypeError('no function')],
  ])('%s ends the search', async (_what, error) => {
    await expect(search(UUID, { a: UUID, b: error })).rejects.toBe(error);
  });

  test('nobody is asked for what is no UUID', async () => {
    const found = await searchUuid('web', ['a'], () => Promise.reject(new Error('asked')));
    expect(found).toEqual({ found: [], silent: [] });
  });
});
