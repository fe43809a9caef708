/**
 * The first cluster of a qcow2 file: its header and extensions, and the other files that they name. It is all that has to
 * be read to know what QEMU would open.
 */
import { corrupt, faultError } from '../faults.js';
import type { FileSnapshot } from '../imageFile.js';
import type { Watch } from '../writerGuard.js';
import { type Extensions, parseExtensions } from './extensions.js';
import { checkIncompatibleFeatures, parseFeatureNames } from './features.js';
import { KNOWN_HEADER_BYTES, parseHeader, type Qcow2Header, readClusterBits } from './header.js';

/** What an image says about the file below it. */
export interface BackingReference {
  /** The name's bytes as stored; at most 1023. */
  name: Buffer;
  /** Content of the backing format extension. */
  format: string | undefined;
}

export interface Qcow2Head {
  header: Qcow2Header;
  extensions: Extensions;
  /** Null for an image with nothing below. */
  backing: BackingReference | null;
}

export async function readHead(
  snapshot: FileSnapshot,
  guard: Watch,
  signal?: AbortSignal,
): Promise<Qcow2Head> {
  const where = snapshot.file.path;
  const start = await snapshot.file.readUpTo(0, KNOWN_HEADER_BYTES, signal);
  const head = await snapshot.file.readUpTo(0, 2 ** readClusterBits(where, start), signal);
  guard.mark(snapshot, 0, head);
  const header = parseHeader(where, head);
  const extensions = parseKnownExtensions(where, head, header);
  return { header, extensions, backing: readBacking(where, head, header, extensions) };
}

/** An unknown feature may have changed what extensions look like: it is told first. */
function parseKnownExtensions(where: string, head: Buffer, header: Qcow2Header): Extensions {
  let extensions: Extensions;
  try {
    extensions = parseExtensions(where, head, header);
  } catch (error) {
    checkIncompatibleFeatures(where, header.incompatible, new Map());
    throw error;
  }
  const names = parseFeatureNames(extensions.featureNames ?? Buffer.alloc(0));
  checkIncompatibleFeatures(where, header.incompatible, names);
  return extensions;
}

function readBacking(
  where: string,
  head: Buffer,
  header: Qcow2Header,
  extensions: Extensions,
): BackingReference | null {
  const { offsetBytes, lengthBytes } = header.backingName;
  if (lengthBytes === 0) return null;
  const name = head.subarray(offsetBytes, offsetBytes + lengthBytes);
  if (name.length !== lengthBytes) {
    const fault = corrupt(
      'end of the backing file name',
      offsetBytes + lengthBytes,
      `at most ${head.length}`,
    );
    throw faultError(where, fault);
  }
  return { name, format: extensions.backingFormat };
}
