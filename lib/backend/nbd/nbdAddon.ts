/**
 * The exports of nbd.node, declared once (native/nbd/binding/connection_object.cpp is the other side), and its loading. It
 * is loaded only when something is to be read over NBD, because it needs the libnbd library, which a machine that only
 * looks at image files need not have. Calls reject with an Error that has `code` and `details`, or throw it at once.
 *
 * Environment: QEMU_CBT_NBD_ADDON_PATH names the one addon file to load, QEMU_CBT_ADDONS the folder that it is in.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addonPlaces, howToBuild } from '../../core/addonPlaces.js';
import { CbtError } from '../../core/errors.js';
import type { Ranges } from '../../core/rangePage.js';

/** Meaning of the exports; an addon that says another number is from another build. */
const NBD_INTERFACE = 1;

/** What the server offers. Sizes in bytes. */
export interface NbdExportInfo {
  sizeBytes: number;
  /** Writes must be multiples of it; reads and maps are widened by us. */
  minBlockBytes: number;
  preferredBlockBytes: number;
  maxPayloadBytes: number;
  readOnly: boolean;
  canFlush: boolean;
  canForceUnitAccess: boolean;
  canTrim: boolean;
  canZero: boolean;
  canMultiConn: boolean;
  structuredReplies: boolean;
  /** 64-bit lengths; needs libnbd 1.18 and QEMU 8.2. */
  extendedHeaders: boolean;
  tls: boolean;
  /** By which others of this machine reach the same server; empty where nobody can. */
  uri: string;
}

/** What is looked for in a context; see native/nbd/include/cbt/nbd/extents.hpp. */
export type NbdWanted = 'dirty' | 'data' | 'zero' | 'allocated' | 'top';

export type NativeNbdTls =
  | { kind: 'x509'; certificates: string; verifyPeer: boolean }
  | { kind: 'psk'; file: string; username: string };

export type NativeNbdAddress =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'uri'; uri: string }
  /** `name`: what messages call it, where the program that is started first is not what matters. */
  | { kind: 'command'; arguments: readonly string[]; name?: string };

export type NativeNbdOptions = NativeNbdAddress & {
  exportName: string;
  tls: NativeNbdTls | undefined;
  contexts: readonly string[];
  connections: number;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
};

/** Every job has a number of the caller's choice, to cancel it by. */
export interface NativeNbdConnection {
  open(): Promise<NbdExportInfo>;
  close(): Promise<void>;
  map(
    job: number,
    context: string,
    wanted: NbdWanted,
    startBytes: number,
    endBytes: number,
    maxRanges: number,
  ): Promise<{ ranges: Ranges; nextBytes: number }>;
  /** Into a view of shared memory, or into new memory. */
  read(
    job: number,
    ranges: Ranges,
    pieceBytes: number,
    into: Uint8Array | undefined,
  ): Promise<Buffer | undefined>;
  change(
    job: number,
    command: 'write' | 'zero' | 'trim' | 'flush',
    ranges: Ranges,
    data: Uint8Array | undefined,
    pieceBytes: number,
    forceUnitAccess: boolean,
    keepAllocated: boolean,
  ): Promise<void>;
  startStream(job: number, ranges: Ranges, pieceBytes: number, queueBytes: number): void;
  /** Offset, data, offset, data, …; empty at the end. */
  take(job: number): Promise<(number | Buffer)[]>;
  /** Ends the job; also lets go of a stream that is read to its end. */
  cancel(job: number): void;
}

export interface NbdAddon {
  readonly interface: number;
  /** Version of the libnbd in use. */
  readonly libnbd: string;
  /** Whether it was built against a libnbd with 64-bit extents. */
  readonly extents64: boolean;
  /** Detaches memory that a stream gave out, so that the stream can use it again at once. */
  giveBack(memory: ArrayBufferLike): void;
  readonly NbdConnection: new (options: NativeNbdOptions) => NativeNbdConnection;
}

const ADDON = 'nbd.node';
const HOW_TO_BUILD =
  'install libnbd (Debian, Ubuntu: libnbd-dev to build and libnbd0 to run; Fedora: libnbd-devel and libnbd), then ' +
  howToBuild('it needs g++, make and cmake');

/** The package's root, three folders up from lib/backend/nbd and from dist/backend/nbd alike. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const require = createRequire(import.meta.url);

let addon: NbdAddon | undefined;

export function loadNbdAddon(): NbdAddon {
  if (addon !== undefined) return addon;
  const failures: string[] = [];
  for (const path of candidates()) {
    try {
      const loaded = require(path) as NbdAddon;
      if (loaded.interface !== NBD_INTERFACE) {
        throw new Error(
          `its interface is ${loaded.interface}, expected ${NBD_INTERFACE}: it is from another build`,
        );
      }
      addon = loaded;
      return loaded;
    } catch (thrown) {
      failures.push(`${path}: ${reasonOf(thrown)}`);
    }
  }
  throw new CbtError(
    'ERR_CBT_UNSUPPORTED',
    `the NBD addon did not load (${failures.join('; ')}); ${HOW_TO_BUILD}`,
    { details: { tried: failures.join('; ') } },
  );
}

function candidates(): string[] {
  return addonPlaces(root, ADDON, 'QEMU_CBT_NBD_ADDON_PATH').map((path) => resolve(path));
}

function reasonOf(thrown: unknown): string {
  if ((thrown as NodeJS.ErrnoException | null)?.code === 'MODULE_NOT_FOUND') return 'not there';
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.split('\n')[0] ?? text;
}
