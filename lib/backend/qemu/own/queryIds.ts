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

/**
 * What this thread's questions have at the moment, by the connection that they are asked over: names in QEMU, and how names of folders begin.
 * Never paths, of which a folder has as many as there are links to it.
 */
const inUse = new Map<string, { readonly open: boolean }>();

/**
 * Until what it returns is called, or until the connection is lost: with it nobody can take away what it stands for, and whoever comes next
 * does. Begun before there is anything of that name, for others look meanwhile.
 */
export function beginUse(name: string, connection: { readonly open: boolean }): () => void {
  inUse.set(name, connection);
  return () => void inUse.delete(name);
}

/** Whether a question of this thread's needs what has this name; all else that has our mark was left. */
export function isInUse(name: string): boolean {
  return inUse.get(name)?.open === true;
}
