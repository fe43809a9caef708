/** The command line's words for TLS to an NBD server; the same choices as `NbdTls` of the API. */
import type { Command } from 'commander';
import { invalidArgument } from '../core/errors.js';
import type { NbdTls } from '../host/data.js';

export interface TlsFlags {
  tlsCertificates?: string;
  /** commander sets it to false for --no-tls-verify. */
  tlsVerify?: boolean;
  tlsPsk?: string;
  tlsUsername?: string;
}

export function addTlsFlags(command: Command): Command {
  return command
    .option(
      '--tls-certificates <folder>',
      'for nbds: folder with ca-cert.pem, and client-cert.pem and client-key.pem where the server asks for them',
    )
    .option('--no-tls-verify', 'with --tls-certificates: take any server, whoever it says it is')
    .option('--tls-psk <file>', 'for nbds: file with a shared key, one "username:key" a line')
    .option('--tls-username <name>', 'with --tls-psk: whose key');
}

/** What the flags say; undefined without any. */
export function tlsOf({
  tlsCertificates,
  tlsVerify = true,
  tlsPsk,
  tlsUsername,
}: TlsFlags): NbdTls | undefined {
  if (tlsCertificates !== undefined && tlsPsk !== undefined)
    throw invalidArgument(
      '--tls-psk',
      tlsPsk,
      'left out beside --tls-certificates: a server wants one of them',
    );
  if (tlsCertificates === undefined && !tlsVerify)
    throw invalidArgument('--no-tls-verify', 'given', 'beside --tls-certificates only');
  if ((tlsPsk === undefined) !== (tlsUsername === undefined))
    throw invalidArgument(
      tlsPsk === undefined ? '--tls-psk' : '--tls-username',
      'missing',
      'both the file of the key and whose it is',
    );
  if (tlsCertificates !== undefined)
    return { kind: 'x509', certificates: tlsCertificates, verifyPeer: tlsVerify };
  if (tlsPsk !== undefined && tlsUsername !== undefined)
    return { kind: 'psk', file: tlsPsk, username: tlsUsername };
  return undefined;
}
