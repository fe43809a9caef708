/**
 * Where a backing file is, from the name its overlay stores, by QEMU's rules: a name with a colon before any slash names a
 * protocol, an absolute path is one, and anything else starts from the folder of the overlay. What QEMU would look up from
 * its own working directory is refused: another process has another one.
 */
import { corrupt, faultError, unsupported } from '../faults.js';
import { parseJsonName } from './jsonName.js';

export interface BackingFile {
  path: string;
  /** Format as QEMU names it; null when only the file itself can tell. */
  format: string | null;
}

/** Protocol prefixes that name a local file or device. */
const FILE_PROTOCOLS: readonly string[] = ['file', 'host_device'];

/** `format` is the overlay's backing format extension. Throws `ERR_CBT_UNSUPPORTED` for a place that is no local file. */
export function resolveBackingFile(
  overlayPath: string,
  nameBytes: Buffer,
  format: string | undefined,
): BackingFile {
  const name = decodeName(overlayPath, nameBytes);
  if (name.startsWith('json:')) {
    const parsed = parseJsonName(overlayPath, name, format);
    return { path: requireAbsolute(overlayPath, parsed.filename), format: parsed.format };
  }
  return { path: pathOf(overlayPath, name), format: format ?? null };
}

/** Where the file is that has the guest's data. QEMU looks a relative name up from its own working directory. */
export function resolveDataFile(imagePath: string, nameBytes: Buffer): string {
  const name = decodeName(imagePath, nameBytes, 'data file');
  return requireAbsolute(imagePath, localPath(imagePath, name, 'data file') ?? name, 'data file');
}

function pathOf(overlayPath: string, name: string): string {
  const local = localPath(overlayPath, name, 'backing file');
  if (local !== null) return requireAbsolute(overlayPath, local);
  if (name.startsWith('/')) return name;
  // Put together as text: resolving ".." here would differ from the kernel's way where a folder is a symbolic link.
  return `${overlayPath.slice(0, overlayPath.lastIndexOf('/') + 1)}${name}`;
}

/** The path behind a protocol that names a local file, null for a name without one; any other protocol is never opened. */
function localPath(where: string, name: string, what: string): string | null {
  const protocol = protocolOf(name);
  if (protocol === null) return null;
  if (FILE_PROTOCOLS.includes(protocol)) return name.slice(protocol.length + 1);
  const limit = 'a local file: disks behind other protocols are read only by the QEMU that has them';
  throw faultError(where, unsupported(what, JSON.stringify(name), limit));
}

/** What is before a colon that comes before any slash. */
function protocolOf(name: string): string | null {
  const colon = name.indexOf(':');
  const slash = name.indexOf('/');
  return colon >= 0 && (slash < 0 || colon < slash) ? name.slice(0, colon) : null;
}

function requireAbsolute(where: string, path: string, what = 'backing file'): string {
  if (path.startsWith('/')) return path;
  const limit = 'absolute: QEMU would look it up from its own working directory';
  throw faultError(where, unsupported(`path of the ${what}`, JSON.stringify(path), limit));
}

function decodeName(where: string, bytes: Buffer, what = 'backing file'): string {
  const name = bytes.toString('utf8');
  if (name.includes('\0')) {
    throw faultError(where, corrupt(`${what} name`, JSON.stringify(name), 'free of NUL bytes'));
  }
  if (!Buffer.from(name).equals(bytes)) {
    throw faultError(where, unsupported(`${what} name`, bytes.toString('hex'), 'UTF-8'));
  }
  return name;
}
