/** Which real clients copy every changed area: all of them from one answer, the right ones also from pages. */
import { describe, expect, test } from 'vitest';
import { enable, KIB64, MIB, pointInTime, snapshot, startVm } from '../support.js';
import * as models from './models.js';

const CLIENTS = { ...models };
type Name = keyof typeof CLIENTS;

const CAPACITY = 64 * MIB;
/** Between them nothing changed; the last one leaves the end of the disk alone. */
const CHANGED = Array.from({ length: 40 }, (_, i) => i * 20 + 3);

/** With pages: `all` copies everything, `misses` ends with less, `fails` ends with an error, `never` does not end. */
const PAGED: Record<Name, 'all' | 'misses' | 'fails' | 'never'> = {
  bareos: 'all',
  xenOrchestra: 'all',
  cdiChangeId: 'all',
  cdiSnapshot: 'never',
  v2vConversion: 'misses',
  powerCli: 'all',
  govmomi: 'all',
  migratekit: 'fails',
};

/** With a change that ends at the capacity, from one answer: whoever asks on from the last area asks at the capacity, as on a host. */
const CHANGED_AT_END: Record<Name, 'all' | 'fails'> = {
  bareos: 'all',
  xenOrchestra: 'all',
  cdiChangeId: 'all',
  cdiSnapshot: 'all',
  v2vConversion: 'all',
  powerCli: 'fails',
  govmomi: 'all',
  migratekit: 'all',
};

async function outcomeOf(
  client: models.Client,
  maxAreasPerCall?: number,
  changed = CHANGED,
): Promise<string> {
  const { vm, daemon, key } = await startVm(maxAreasPerCall === undefined ? {} : { maxAreasPerCall });
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', ...changed.map((n) => `write ${n * KIB64} 512`));
  const { reference } = await snapshot(vm);
  try {
    const areas = await client((offset) => vm.QueryChangedDiskAreas(reference, key, offset, base), CAPACITY);
    const copied = new Set(areas.map(([start]) => start));
    return changed.every((n) => copied.has(n * KIB64)) ? 'all' : 'misses';
  } catch (error) {
    return (error as Error).message.includes('for ever') ? 'never' : 'fails';
  }
}

describe('clients of QueryChangedDiskAreas', () => {
  test.each(Object.keys(CLIENTS) as Name[])('%s copies everything from one answer', async (name) => {
    expect(await outcomeOf(CLIENTS[name])).toBe('all');
  });

  test.each(Object.entries(CHANGED_AT_END))(
    '%s with a change at the end of the disk: %s',
    async (name, expected) => {
      const last = CAPACITY / KIB64 - 1;
      expect(await outcomeOf(CLIENTS[name as Name], undefined, [...CHANGED, last])).toBe(expected);
    },
  );

  test.each(Object.entries(PAGED))('%s over pages, as over a real host: %s', async (name, expected) => {
    expect(await outcomeOf(CLIENTS[name as Name], 7)).toBe(expected);
  });
});
