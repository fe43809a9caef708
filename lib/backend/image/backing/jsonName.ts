/**
 * QEMU's json: pseudo-protocol, as far as it names a local file: `{"driver":"qcow2","file":{"driver":"file","filename":…}}`,
 * nested or with dotted keys. Options that could change which bytes are seen are refused by name, never passed over.
 */
import { type Fault, faultError, unsupported } from '../faults.js';

export interface JsonName {
  filename: string;
  /** Null when QEMU would probe the file. */
  format: string | null;
}

/** Options of a node that change how it is accessed, not what it holds. */
const HARMLESS: ReadonlySet<string> = new Set([
  'node-name',
  'read-only',
  'auto-read-only',
  'force-share',
  'discard',
  'detect-zeroes',
  'cache.direct',
  'cache.no-flush',
  'aio',
  'locking',
  'drop-cache',
]);

const FILE_DRIVERS: readonly string[] = ['file', 'host_device'];

export function parseJsonName(overlayPath: string, name: string, format: string | undefined): JsonName {
  const refuse = (fault: Fault): never => {
    throw faultError(overlayPath, fault);
  };
  const options = flatten(overlayPath, name);
  const take = (key: string): string | undefined => {
    const value = options.get(key);
    options.delete(key);
    if (value !== undefined && typeof value !== 'string') {
      refuse(unsupported(`${key} of the backing file`, JSON.stringify(value), 'text'));
    }
    return value as string | undefined;
  };
  const driver = take('driver');
  const bare = take('filename');
  const fileDriver = take('file.driver');
  const nested = take('file.filename');
  for (const key of options.keys()) {
    const own = key.startsWith('file.') ? key.slice('file.'.length) : key;
    if (!HARMLESS.has(own))
      refuse(unsupported('option of the backing file', key, 'one that names a local file'));
  }
  if (fileDriver !== undefined && !FILE_DRIVERS.includes(fileDriver)) {
    refuse(unsupported('file.driver of the backing file', fileDriver, FILE_DRIVERS.join(' or ')));
  }
  if (nested !== undefined && bare === undefined)
    return { filename: nested, format: format ?? driver ?? null };
  // A protocol node without a format node: QEMU takes its bytes as they are, and no format can be asked on top of it.
  const isProtocol = driver === undefined || FILE_DRIVERS.includes(driver);
  if (
    bare !== undefined &&
    nested === undefined &&
    fileDriver === undefined &&
    isProtocol &&
    format === undefined
  ) {
    return { filename: bare, format: driver === undefined ? null : 'raw' };
  }
  return refuse(
    unsupported('backing file', JSON.stringify(name), 'a local file, by "file": {"filename": …}'),
  );
}

/** Nested objects become dotted keys, as QEMU flattens them; a key given twice is refused as QEMU refuses it. */
function flatten(overlayPath: string, name: string): Map<string, unknown> {
  const fault = (limit: string): Fault => unsupported('backing file', JSON.stringify(name), limit);
  let parsed: unknown;
  try {
    parsed = JSON.parse(name.slice('json:'.length));
  } catch {
    throw faultError(overlayPath, fault('valid JSON after json:'));
  }
  const flat = new Map<string, unknown>();
  const walk = (prefix: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(prefix === '' ? key : `${prefix}.${key}`, inner);
      return;
    }
    if (prefix === '') throw faultError(overlayPath, fault('a JSON object'));
    if (flat.has(prefix)) throw faultError(overlayPath, fault(`clear: ${prefix} is there twice`));
    flat.set(prefix, value);
  };
  walk('', parsed);
  return flat;
}
