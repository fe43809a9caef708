/** The end of every new qcow2 file: its reference counts behind everything else, then the header, which makes an image of it. */
import type { FileHandle } from 'node:fs/promises';
import { type HeaderFields, refcountLayout, writeHeader } from './newLayerHeader.js';

/** Finishes a file whose first `used` clusters are taken, each once: the header's, the L1 table's behind it, and so on. */
export async function finishFile(
  file: FileHandle,
  used: number,
  { l1Entries, ...fields }: Omit<HeaderFields, 'l1' | 'refcountTable'> & { l1Entries: number },
): Promise<void> {
  const { clusterBytes } = fields;
  const refcounts = refcountLayout(used, clusterBytes);
  // First, because what it refuses must leave the file as it was.
  const header = writeHeader({
    ...fields,
    l1: { entries: l1Entries, offsetBytes: clusterBytes },
    refcountTable: {
      clusters: refcounts.tableClusters,
      offsetBytes: refcounts.tableIndex * clusterBytes,
    },
  });
  for (const { clusterIndex, bytes } of refcounts.writes())
    await writeAt(file, bytes, clusterIndex * clusterBytes);
  await file.truncate(refcounts.clusters * clusterBytes);
  await writeAt(file, header, 0);
}

/** A write may take less than it is given, and tells why only with the next one. */
export async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
