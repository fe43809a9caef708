/**
 * Names of what a question makes in QEMU for a moment (a map's node and its export). They carry the mark of the process that
 * asked, so that what a killed one left behind is told from what is still in use, with no record beside it.
 *
 *   cbtx-<mark of the process, 16 hex digits>-<number of the map>
 */
import { OWN_PREFIX } from './ownNames.js';

const ID = new RegExp(`^${OWN_PREFIX}x-([0-9a-f]{16})-(\\d{1,6})$`);

/** The mark of the process that asked; null for a name that no question gave. */
export function askerOf(id: string): string | null {
  return ID.exec(id)?.[1] ?? null;
}

export function makeQueryId(mark: string, index: number): string {
  return `${OWN_PREFIX}x-${mark}-${index % 1_000_000}`;
}
