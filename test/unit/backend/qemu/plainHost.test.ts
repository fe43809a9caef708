import { tmpdir } from 'node:os';
import { expect, test, vi } from 'vitest';
import { PlainHost } from '../../../../lib/backend/qemu/plainHost.js';

vi.mock('../../../../lib/linux/scratchPlace.js', () => ({
  scratchPlace: async () => '/roomy',
  scratchPlaces: () => [],
}));

test('a session’s files go where there is room; the socket of questions stays in the folder for temporary files', async () => {
  const host = new PlainHost('vm');
  expect(await host.placeFor('fleece', [])).toBe('/roomy');
  expect(await host.placeFor('questions', [])).toBe(tmpdir());
});
