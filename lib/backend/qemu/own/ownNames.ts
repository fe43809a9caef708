/**
 * Names of what we make inside a running QEMU. Node, job and export ids hold 31 characters and start with a letter, so
 * a prefix is all they can tell; whatever carries it is ours to clear up, and is never taken for a guest's disk.
 */

/** Block nodes, jobs and exports of ours begin with it. */
export const OWN_PREFIX = 'cbt';

/** QEMU's limit for a node name (BDRV_NODE_NAME less its NUL) and, kept alike, for jobs and exports. */
export const MAX_ID_LENGTH = 31;

export function isOwnName(name: string): boolean {
  return name.startsWith(OWN_PREFIX);
}
