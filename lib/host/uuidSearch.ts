/** Which VMs have a UUID. A VM and its copy both have it, and one that does not tell its own may be the one that is meant. */
import { CbtError } from '../core/errors.js';
import { ofEach } from '../core/ofEach.js';
import { parseUuid } from '../core/pointInTime.js';

/** What came of a search. */
export interface UuidSearch<V> {
  /** Those that have it, in their order. */
  found: V[];
  /** Those that did not tell theirs, and why. */
  silent: { vm: V; error: CbtError }[];
}

/** Nothing is asked for a text that is no UUID. `tell`: a VM's own, in any form; null where it has none. */
export async function searchUuid<V>(
  text: string,
  vms: readonly V[],
  tell: (vm: V) => Promise<string | null>,
): Promise<UuidSearch<V>> {
  const wanted = parseUuid(text);
  const silent: UuidSearch<V>['silent'] = [];
  if (wanted === null) return { found: [], silent };
  const told = await ofEach(vms, (vm) =>
    tell(vm).catch((error: unknown) => {
      if (!(error instanceof CbtError) || error.code === 'ERR_CBT_ABORTED') throw error;
      silent.push({ vm, error });
      return null;
    }),
  );
  return { found: vms.filter((_, at) => parseUuid(told[at] ?? '') === wanted), silent };
}
