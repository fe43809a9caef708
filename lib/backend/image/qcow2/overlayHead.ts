/**
 * What an overlay says of itself, read by nobody's program: neither the file below it nor any other that it names is opened, and
 * nothing is but a regular file, whoever can write the folder that it is in.
 */
import { onFile } from '../../../linux/fileFault.js';
import { openRegularFile } from '../../../linux/regularFile.js';
import { corrupt, faultError } from '../faults.js';
import { parseExtensions } from './extensions.js';
import { KNOWN_HEADER_BYTES, parseHeader, type Qcow2Header, readClusterBits } from './header.js';

/** The header and the rest of the first cluster. */
export interface OverlayHead {
  header: Qcow2Header;
  /** The name of the file below, as stored; null for an image with nothing below. */
  backingName: Buffer | null;
  /** Of the file below, and whether the guest's data is in another file: `ERR_CBT_CORRUPT_IMAGE` where the extensions are damaged. */
  extensions(): { backingFormat: string | undefined; hasDataFile: boolean };
}

/** `ERR_CBT_CORRUPT_IMAGE` for what is no qcow2 file; what the system refuses as {@link onFile} tells it. */
export async function readOverlayHead(path: string): Promise<OverlayHead> {
  const head = await onFile(path, 'reading', async () => {
    await using file = await openRegularFile(path);
    const read = async (length: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(bytes, done, length - done, done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    };
    return read(2 ** readClusterBits(path, await read(KNOWN_HEADER_BYTES)));
  });
  const header = parseHeader(path, head);
  const { offsetBytes, lengthBytes } = header.backingName;
  const endBytes = offsetBytes + lengthBytes;
  if (endBytes > head.length)
    throw faultError(path, corrupt('end of the backing file name', endBytes, `at most ${head.length}`));
  return {
    header,
    backingName: lengthBytes === 0 ? null : head.subarray(offsetBytes, endBytes),
    extensions() {
      const { backingFormat, dataFile } = parseExtensions(path, head, header);
      return { backingFormat, hasDataFile: header.externalData || dataFile !== undefined };
    },
  };
}
