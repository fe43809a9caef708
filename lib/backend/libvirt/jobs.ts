/** What libvirt itself is doing to a domain, in words: nothing of it goes together with a session. */
import type { JobStats } from './libvirt.js';

/** virDomainJobOperation. */
const OPERATIONS: readonly string[] = [
  'a job',
  'a start',
  'a save',
  'a restore',
  'a migration to here',
  'a migration away',
  'a snapshot',
  'a revert to a snapshot',
  'a memory dump',
  'a backup',
  'the removal of a snapshot',
];

/** virDomainJobType: 1 and 2 run. */
const RUNNING: readonly number[] = [1, 2];

/** Null where there is none. */
export function describeJob({ type, parameters }: JobStats): string | null {
  if (!RUNNING.includes(type)) return null;
  const operation = OPERATIONS[Number(parameters.get('operation') ?? 0)] ?? 'a job';
  return `libvirt is busy with ${operation} of this domain (virsh domjobinfo)`;
}
