/** Where a disk's bytes are, as a caller names it, and how that is checked before anything is opened. */
import type { NbdExport, NbdTls } from '../backend/nbd/nbdTarget.js';
import type { QemuNbdImage } from '../backend/nbd/qemuNbdCommand.js';
import { invalidArgument } from '../core/errors.js';
import {
  anything,
  type Check,
  type Checks,
  flag,
  integer,
  listOf,
  required,
  shape,
  text,
} from '../core/options.js';

/** Where a disk's bytes are: an export, or an image file that no QEMU holds. */
export type DataTarget = NbdExport | ({ kind: 'qemu-nbd' } & QemuNbdImage);

type Of<Kinds, Kind> = Extract<Kinds, { kind: Kind }>;

/** An object whose `kind` says what else is in it. */
function byKind(kinds: Readonly<Record<string, Check>>): Check {
  const expected = Object.keys(kinds).join(', ');
  return (value, name) => {
    if (typeof value !== 'object' || value === null)
      throw invalidArgument(name, value, `an object whose kind is one of ${expected}`);
    const { kind } = value as { kind?: unknown };
    const check = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (check === undefined) throw invalidArgument(`${name}.kind`, kind, `one of ${expected}`);
    check(value, name);
  };
}

/** The first of an export's names is none. */
const exportName: Check = (value, name) => {
  if (value !== '') text(value, name);
};

const X509: Checks<Of<NbdTls, 'x509'>> = { kind: anything, certificates: required(text), verifyPeer: flag };
const PSK: Checks<Of<NbdTls, 'psk'>> = { kind: anything, file: required(text), username: required(text) };

/** What proves who is who. */
export const nbdTls = byKind({ x509: shape(X509), psk: shape(PSK) });

const UNIX: Checks<Of<DataTarget, 'unix'>> = {
  kind: anything,
  path: required(text),
  exportName,
  tls: nbdTls,
};
const TCP: Checks<Of<DataTarget, 'tcp'>> = {
  kind: anything,
  host: required(text),
  port: integer(1, 65_535),
  exportName,
  tls: nbdTls,
};
const URI: Checks<Of<DataTarget, 'uri'>> = { kind: anything, uri: required(text), tls: nbdTls };
const IMAGE: Checks<Of<DataTarget, 'qemu-nbd'>> = {
  kind: anything,
  file: required(text),
  format: text,
  trust: flag,
  withoutBacking: flag,
  readOnly: flag,
  bitmaps: listOf(text),
  allocationDepth: flag,
  shared: flag,
  program: text,
};

const target = byKind({ unix: shape(UNIX), tcp: shape(TCP), uri: shape(URI), 'qemu-nbd': shape(IMAGE) });

/** The target, checked; a text is an NBD URI. */
export function requireTarget(given: DataTarget | string): DataTarget {
  if (typeof given === 'string') {
    if (/^nbds?(\+[a-z]+)?:[^\0\p{Cs}]+$/iu.test(given)) return { kind: 'uri', uri: given };
    throw invalidArgument('target', given, 'an NBD URI, or an object that says where the bytes are');
  }
  target(given, 'target');
  return given;
}
