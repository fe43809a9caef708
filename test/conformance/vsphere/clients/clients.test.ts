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
const PAGED: Record<Name, Outcome> = {
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
const CHANGED_AT_END: Record<Name, Outcome> = {
  bareos: 'all',
  xenOrchestra: 'all',
  cdiChangeId: 'all',
  cdiSnapshot: 'all',
  v2vConversion: 'all',
  powerCli: 'fails',
  govmomi: 'all',
  migratekit: 'all',
};

type Outcome = 'all' | 'misses' | 'fails' | 'never';

/** What each client makes of the changes of one snapshot; they only ask, so one VM serves them all. */
async function outcomes(maxAreasPerCall?: number, changed = CHANGED): Promise<Record<string, Outcome>> {
  const { vm, daemon, key } = await startVm(maxAreasPerCall === undefined ? {} : { maxAreasPerCall });
  await enable(vm);
  const base = await pointInTime(vm);
  await daemon.guestIo('d', ...changed.map((n) => `write ${n * KIB64} 512`));
  const { reference } = await snapshot(vm);
  const outcomeOf = async (client: models.Client): Promise<Outcome> => {
    try {
      const areas = await client(
        (offset) => vm.QueryChangedDiskAreas(reference, key, offset, base),
        CAPACITY,
      );
      const copied = new Set(areas.map(([start]) => start));
      return changed.every((n) => copied.has(n * KIB64)) ? 'all' : 'misses';
    } catch (error) {
      return (error as Error).message.includes('for ever') ? 'never' : 'fails';
    }
  };
  const found: Record<string, Outcome> = {};
  for (const [name, client] of Object.entries(CLIENTS)) found[name] = await outcomeOf(client);
  return found;
}

describe('clients of QueryChangedDiskAreas', () => {
  test('copy everything from one answer', async () => {
    const everything = Object.keys(CLIENTS).map((name) => [name, 'all']);
    expect(await outcomes()).toEqual(Object.fromEntries(everything));
  });

  test('with a change at the end of the disk', async () => {
    const last = CAPACITY / KIB64 - 1;
    expect(await outcomes(undefined, [...CHANGED, last])).toEqual(CHANGED_AT_END);
  });

  test('over pages, as over a real host', async () => {
    expect(await outcomes(7)).toEqual(PAGED);
  });
});
