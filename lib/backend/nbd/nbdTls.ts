/**
 * The files that TLS is to work with, looked for before libnbd is told of them: of a folder without an authority it makes a
 * connection that checks nobody (tried with libnbd 1.14: any server is accepted).
 */
import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { CbtError, invalidArgument } from '../../core/errors.js';
import type { NativeNbdTls } from './nbdAddon.js';

const MAX_PEM_BYTES = 4 << 20;

/** Secrets are named by file only, so that none gets into an argument, a URI or a message. */
export type NbdTls =
  | {
      kind: 'x509';
      /** Folder with `ca-cert.pem`, without which nothing connects, and `client-cert.pem` and `client-key.pem` where the server wants to see them. */
      certificates: string;
      /** Whether the server must prove its name; only `false` turns it off. */
      verifyPeer?: boolean | undefined;
    }
  | {
      kind: 'psk';
      /** File with `username:key in hex` lines. */
      file: string;
      username: string;
    };

/** As the addon takes it, which checks it. */
export function toNativeTls(tls: NbdTls | undefined): NativeNbdTls | undefined {
  if (tls?.kind !== 'x509') return tls;
  const { verifyPeer } = tls;
  if (verifyPeer !== undefined && typeof verifyPeer !== 'boolean')
    throw invalidArgument('tls.verifyPeer', verifyPeer, 'true or false');
  return { ...tls, verifyPeer: verifyPeer ?? true };
}

/** Throws `ERR_CBT_BACKEND_UNAVAILABLE` that names the file which is missing, or cannot serve. */
export async function requireTlsFiles(tls: NbdTls | undefined): Promise<void> {
  if (tls === undefined) return;
  if (tls.kind === 'psk') {
    await read(tls.file, 'the keys');
    return;
  }
  const authority = join(tls.certificates, 'ca-cert.pem');
  const verifies = tls.verifyPeer ?? true;
  // An authority that is there must be one, also where nobody asks it.
  const text = await read(authority, 'the authority that vouches for the server', { optional: !verifies });
  if (text !== null) requireCertificate(authority, text);
  const own = await read(join(tls.certificates, 'client-cert.pem'), 'our certificate', { optional: true });
  const key = await read(join(tls.certificates, 'client-key.pem'), 'its key', { optional: true });
  if ((own === null) === (key === null)) return;
  const [there, missing] =
    own === null ? ['client-key.pem', 'client-cert.pem'] : ['client-cert.pem', 'client-key.pem'];
  throw unusable(join(tls.certificates, missing), `${there} is there without it`);
}

function requireCertificate(path: string, pem: string): void {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw unusable(path, 'it holds no certificate', cause);
  }
}

/** The content of a file, which is never waited for; null where an optional one is not there. */
async function read(path: string, what: string, options?: { optional: false }): Promise<string>;
async function read(path: string, what: string, options: { optional: boolean }): Promise<string | null>;
async function read(path: string, what: string, { optional } = { optional: false }): Promise<string | null> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw unusable(path, 'it is no ordinary file');
    if (found.size > MAX_PEM_BYTES)
      throw unusable(path, `${found.size} bytes, at most ${MAX_PEM_BYTES} are right`);
    return await file.readFile('utf8');
  } catch (cause) {
    if (cause instanceof CbtError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    if (optional && code === 'ENOENT') return null;
    throw unusable(path, `${what}: ${code}`, cause);
  }
}

function unusable(path: string, why: string, cause?: unknown): CbtError {
  return new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', `TLS cannot be used with ${path}: ${why}`, {
    details: { path },
    ...(cause !== undefined && { cause }),
  });
}
