/** `qemu-cbt restore`: a disk as it was at a run, checked as it is read. */
import { restore } from '../../backup/restore.js';
import { type CliIo, tell, tellJson } from '../io.js';
import { formatBytes } from '../picture/units.js';
import { printable } from '../report.js';
import { type TlsFlags, tlsOf } from '../tlsFlags.js';
import { TransferProgress } from '../transferProgress.js';

export interface RestoreFlags extends TlsFlags {
  from: string;
  to: string;
  pit?: string;
  disk?: string;
  format?: 'raw' | 'qcow2';
  force?: boolean;
  json?: boolean;
}

export async function restoreCommand(io: CliIo, flags: RestoreFlags): Promise<void> {
  const { json = false, tlsCertificates: _c, tlsVerify: _v, tlsPsk: _p, tlsUsername: _u, ...rest } = flags;
  const options = { ...rest, tls: tlsOf(flags) };
  const bar = new TransferProgress(io, 'restore', { json });
  const result = await restore({ ...options, signal: io.signal, onProgress: bar.update }).finally(() =>
    bar.end(),
  );
  if (json) return tellJson(io, { ...result, to: flags.to });
  const { disk, run, pit, sizeBytes, writtenBytes } = result;
  await tell(
    io,
    `${printable(disk)} of run ${run}, point in time ${pit}: ${formatBytes(sizeBytes)}, ${formatBytes(writtenBytes)} of data written to ${printable(flags.to)}\n`,
  );
}
