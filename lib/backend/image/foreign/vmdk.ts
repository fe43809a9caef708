/**
 * Which files a VMDK makes QEMU open. Its descriptor is text, in a file of its own or inside the image, that names extents
 * and a parent; QEMU would open any path and any protocol there. Extents must lie beside the descriptor; the parent is for
 * the caller to look at.
 */
import { corrupt, faultError, unsupported } from '../faults.js';
import type { ImageFile } from '../imageFile.js';
import type { OpenFiles } from '../openFiles.js';

const SECTOR_BYTES = 512;
const TEXT_MAGIC = '# Disk DescriptorFile';
const SPARSE_MAGIC = 'KDMV';
/** What QEMU reads of a descriptor is 20 sectors embedded, and 1 MiB (less one) as a file. */
const MAX_TEXT_BYTES = 2 ** 20;
const EXTENT = /^[ \t]*RW[ \t]+-?\d+[ \t]+\S+[ \t]+"([^"\r\n]*)"/gm;
/** The footer of a stream-optimised image is the header that counts. */
const GRAINS_AT_END = 2n ** 64n - 1n;

/** The parent's name, null where there is none; everything else that the image names has been checked. */
export async function readVmdkParent(file: ImageFile, files: OpenFiles): Promise<Buffer | null> {
  const head = await file.readUpTo(0, SECTOR_BYTES);
  const { sizeBytes } = await file.snapshot();
  if (head.toString('latin1', 0, TEXT_MAGIC.length) === TEXT_MAGIC) {
    const text = (await file.readUpTo(0, Math.min(sizeBytes, MAX_TEXT_BYTES))).toString('latin1');
    for (const [, name = ''] of text.matchAll(EXTENT)) await checkExtent(file.path, name, files);
    return parentIn(file.path, text);
  }
  return readSparse(file, head, sizeBytes);
}

async function checkExtent(descriptor: string, name: string, files: OpenFiles): Promise<void> {
  if (name === '' || /[/:\0]/.test(name)) {
    const limit = 'the name of a file beside the descriptor';
    throw faultError(descriptor, unsupported('extent', JSON.stringify(name), limit));
  }
  const path = Buffer.from(name, 'latin1').toString('utf8');
  const extent = await files.open(`${descriptor.slice(0, descriptor.lastIndexOf('/') + 1)}${path}`);
  const { sizeBytes } = await extent.snapshot();
  await readSparse(extent, await extent.readUpTo(0, SECTOR_BYTES), sizeBytes);
}

/** The parent that a sparse image names; anything else (an extent, a VMDK of version 3) names nothing. */
async function readSparse(file: ImageFile, head: Buffer, sizeBytes: number): Promise<Buffer | null> {
  if (head.length < 80 || head.toString('latin1', 0, 4) !== SPARSE_MAGIC) return null;
  let header = head;
  if (head.readBigUInt64LE(56) === GRAINS_AT_END) {
    header = await file.readUpTo(Math.max(0, sizeBytes - 2 * SECTOR_BYTES), SECTOR_BYTES);
    if (header.length < 80 || header.toString('latin1', 0, 4) !== SPARSE_MAGIC)
      throw faultError(file.path, corrupt('footer', 'absent', 'a header, as the image says'));
  }
  // Without a capacity QEMU takes what is inside for a descriptor of further files.
  if ([head, header].some((one) => one.readBigUInt64LE(12) === 0n))
    throw faultError(file.path, unsupported('capacity', 0, 'more than 0: the size of the disk'));
  const offset = header.readBigUInt64LE(28) * BigInt(SECTOR_BYTES);
  if (offset === 0n || offset >= BigInt(sizeBytes)) return null;
  const room = Math.min(sizeBytes - Number(offset), MAX_TEXT_BYTES);
  return parentIn(file.path, (await file.readUpTo(Number(offset), room)).toString('latin1'));
}

/** QEMU takes what stands between the first quotes behind the word. */
function parentIn(path: string, text: string): Buffer | null {
  const at = text.indexOf('parentFileNameHint');
  if (at < 0) return null;
  const name = /^parentFileNameHint="([^"\r\n]+)"/.exec(text.slice(at))?.[1];
  if (name !== undefined) return Buffer.from(name, 'latin1');
  const found = JSON.stringify(text.slice(at, at + 100));
  throw faultError(path, corrupt('parentFileNameHint', found, 'a name in quotes'));
}
