/**
 * Which format a file is in, by its first bytes, as QEMU probes: a known magic, or else raw. Formats that QEMU knows and
 * we do not are named, so that their metadata is never taken for a raw disk's content.
 */
import { faultError, unsupported } from './faults.js';
import type { FileSnapshot } from './imageFile.js';

export type ImageFormat = 'qcow2' | 'raw' | 'parallels';

/** What QEMU reads to probe: BLOCK_PROBE_BUF_SIZE. */
const PROBE_BYTES = 512;

interface Magic {
  format: string;
  offset: number;
  bytes: Buffer;
}

const magic = (format: string, bytes: string | number[], offset = 0): Magic => ({
  format,
  offset,
  bytes: typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes),
});

const MAGICS: readonly Magic[] = [
  magic('parallels', 'WithoutFreeSpace'),
  magic('parallels', 'WithouFreSpacExt'),
  magic('qcow', [0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 1]),
  magic('qcow2', [0x51, 0x46, 0x49, 0xfb]),
  magic('qed', 'QED\0'),
  magic('vmdk', 'KDMV'),
  magic('vmdk', 'COWD'),
  magic('vmdk', '# Disk DescriptorFile'),
  magic('vhdx', 'vhdxfile'),
  magic('vpc', 'conectix'),
  magic('vdi', [0x7f, 0x10, 0xda, 0xbe], 0x40),
  magic('luks', [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]),
  magic('cloop', '#!/bin/sh\n#V2.0 Format'),
  magic('bochs', 'Bochs Virtual HD Image'),
];

/** Throws `ERR_CBT_UNSUPPORTED` for a format that QEMU knows and we do not read. */
export async function probeFormat(snapshot: FileSnapshot, signal?: AbortSignal): Promise<ImageFormat> {
  const head = await snapshot.file.readUpTo(0, PROBE_BYTES, signal);
  const known = MAGICS.find(({ bytes, offset }) =>
    head.subarray(offset, offset + bytes.length).equals(bytes),
  );
  return known === undefined ? 'raw' : requireFormat(snapshot.file.path, known.format);
}

/** A format by the name QEMU gives it. */
export function requireFormat(path: string, name: string): ImageFormat {
  if (name === 'qcow2' || name === 'raw' || name === 'parallels') return name;
  // Protocol drivers used as a format: the bytes of the file are the bytes of the disk.
  if (name === 'file' || name === 'host_device') return 'raw';
  const wayOut =
    name === 'luks' ? 'copied as it is, encrypted, with --format raw' : 'convert it with qemu-img';
  throw faultError(path, unsupported('format', name, `qcow2, raw or parallels; ${wayOut}`));
}
