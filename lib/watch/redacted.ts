/**
 * The arguments of a QMP command as they may be shown. Texts are shown by permission only: names that we or the VM's owner gave to
 * nodes, bitmaps and jobs, and QEMU's own words. Passwords, keys, file names (a URI can hold a password) are none of these.
 */

const SHOWN: ReadonlySet<string> = new Set([
  'action',
  'base-node',
  'bitmap',
  'device',
  'driver',
  'export',
  'filter-node-name',
  'format',
  'id',
  'job-id',
  'mode',
  'name',
  'node',
  'node-name',
  'on-cbw-error',
  'qom-type',
  'sync',
  'target',
  'top-node',
  'type',
]);

/** Whatever is written in them is not looked at. */
const NEVER: ReadonlySet<string> = new Set([
  'object-add',
  'human-monitor-command',
  'set_password',
  'qom-set',
]);

/** No name of anything looks like this, and passwords travel in both. */
const URI_OR_JSON = /:\/\/|[{}]/;

const REDACTED = '[redacted]';
const MOST_LEVELS = 8;

/** A copy that may be shown. */
export function redacted(command: string, args: object | undefined): unknown {
  if (args === undefined) return null;
  return NEVER.has(command) ? REDACTED : shown('', args, MOST_LEVELS);
}

function shown(key: string, value: unknown, levels: number): unknown {
  if (typeof value === 'string') return SHOWN.has(key) && !URI_OR_JSON.test(value) ? value : REDACTED;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (typeof value !== 'object' || levels === 0) return REDACTED;
  if (Array.isArray(value)) return value.map((one) => shown(key, one, levels - 1));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, shown(name, one, levels - 1)]));
}
