/**
 * A certificate of our own for TLS: made at the first start and kept, because clients remember its thumbprint. It is signed by its own
 * key (P-256), names this machine, and is written as X.509 asks (RFC 5280), which Node can read and cannot make.
 */
import { createHash, createSign, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { CbtError } from '../../core/errors.js';
import { isMissing } from '../../linux/fileFault.js';
import { writeWholeFile } from '../../linux/wholeFile.js';

/** What a server shows, as PEM. */
export interface Certificate {
  key: string;
  cert: string;
}

const YEARS = 10;

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BITS = 0x03;
const OCTETS = 0x04;
const OBJECT = 0x06;
const UTF8 = 0x0c;
const UTC = 0x17;
const GENERAL = 0x18;

/** One value in DER. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const long = size > 0xff ? [0x82, size >> 8, size & 0xff] : [0x81, size];
  return Buffer.concat([Buffer.from([tag, ...(size < 0x80 ? [size] : long)]), content]);
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = rest.flatMap((number) => {
    const septets = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) septets.unshift((left & 0x7f) | 0x80);
    return septets;
  });
  return der(OBJECT, Buffer.from([first * 40 + second, ...bytes]));
}

const ECDSA_SHA256 = der(SEQUENCE, oid('1.2.840.10045.4.3.2'));

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  // Up to 2049 in two digits.
  return date.getUTCFullYear() < 2050
    ? der(UTC, Buffer.from(digits.slice(2)))
    : der(GENERAL, Buffer.from(digits));
}

function nameOf(common: string): Buffer {
  const attribute = der(SEQUENCE, oid('2.5.4.3'), der(UTF8, Buffer.from(common.slice(0, 64))));
  return der(SEQUENCE, der(SET, attribute));
}

function alternative(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, Buffer.from(name.split('.').map(Number)));
  if (name === '::1') return der(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])]));
  return der(0x82, Buffer.from(name));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [der(0x01, Buffer.from([0xff]))] : [];
  return der(SEQUENCE, oid(id), ...flag, der(OCTETS, value));
}

/** A new certificate for these names and addresses, valid from yesterday on. */
export function makeCertificate(names: readonly string[], now: Date = new Date()): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const from = new Date(now.getTime() - 86_400_000);
  const until = new Date(from);
  until.setUTCFullYear(until.getUTCFullYear() + YEARS);
  const name = nameOf(names[0] ?? 'qemu-cbt');
  const serial = randomBytes(16);
  // Positive, and not shorter than it is.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    ECDSA_SHA256,
    name,
    der(SEQUENCE, time(from), time(until)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      der(
        SEQUENCE,
        extension('2.5.29.19', true, der(SEQUENCE, der(0x01, Buffer.from([0xff])))),
        extension('2.5.29.17', false, der(SEQUENCE, ...names.map(alternative))),
      ),
    ),
  );
  const signature = createSign('sha256').update(body).sign(privateKey);
  const whole = der(SEQUENCE, body, ECDSA_SHA256, der(BITS, Buffer.from([0]), signature));
  const base64 = whole.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

/** Names that a client may call this machine by. */
function ownNames(): string[] {
  return [...new Set([hostname(), 'localhost', '127.0.0.1', '::1'])];
}

/** The certificate of a folder, made where there is none. Certificate and key are one file, so that both are there or none is. */
export async function ownCertificate(folder: string): Promise<Certificate> {
  const file = join(folder, 'tls.pem');
  try {
    return split(file, await readFile(file, 'utf8'));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const made = makeCertificate(ownNames());
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeWholeFile(file, (to) => to.writeFile(made.key + made.cert), { mode: 0o600 });
  return made;
}

function split(file: string, text: string): Certificate {
  const at = text.indexOf('-----BEGIN CERTIFICATE-----');
  if (at > 0) return { key: text.slice(0, at), cert: text.slice(at) };
  throw new CbtError(
    'ERR_CBT_BACKEND_UNAVAILABLE',
    `${file} is damaged: remove it, and a new certificate with another thumbprint is made`,
    { details: { path: file } },
  );
}

/** A digest of the certificate as clients ask for it: pairs of hexadecimal digits with colons. */
export function thumbprint(cert: string, algorithm: 'sha1' | 'sha256' = 'sha1'): string {
  const hex = createHash(algorithm).update(new X509Certificate(cert).raw).digest('hex').toUpperCase();
  return hex.replace(/..(?=.)/g, '$&:');
}
