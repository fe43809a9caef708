/**
 * The features of QEMU we use or would use, each with the place in its schema that shows it. Distributions backport, so
 * version numbers decide nothing. A feature that must be there and is not is an error that names it.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import type { QmpPort } from './qmpPort.js';
import { type QmpSchema, schemaOf } from './qmpSchema.js';

type Probe = (schema: QmpSchema) => boolean;

const command =
  (name: string): Probe =>
  (schema) =>
    schema.hasCommand(name);
const argument =
  (...path: [string, ...string[]]): Probe =>
  (schema) =>
    schema.hasArgument(...path);
const action =
  (name: string, ...path: string[]): Probe =>
  (schema) =>
    schema.hasArgument('transaction', 'actions', `type=${name}`, ...path);

/** What each feature is called in errors (the key), and how the schema shows it. */
const probes = {
  // Bitmaps (all in QEMU 4.2).
  'transaction action block-dirty-bitmap-add': action('block-dirty-bitmap-add'),
  'transaction action block-dirty-bitmap-remove': action('block-dirty-bitmap-remove'),
  'transaction action block-dirty-bitmap-clear': action('block-dirty-bitmap-clear'),
  'transaction action block-dirty-bitmap-enable': action('block-dirty-bitmap-enable'),
  'transaction action block-dirty-bitmap-disable': action('block-dirty-bitmap-disable'),
  'transaction action block-dirty-bitmap-merge': action('block-dirty-bitmap-merge'),
  'block-dirty-bitmap-add persistent': argument('block-dirty-bitmap-add', 'persistent'),
  'block-dirty-bitmap-merge across nodes': argument('block-dirty-bitmap-merge', 'bitmaps', 'node'),
  // Fleecing and overlays.
  'transaction action blockdev-backup': action('blockdev-backup'),
  'transaction action blockdev-snapshot': action('blockdev-snapshot'),
  'blockdev-backup filter-node-name': argument('blockdev-backup', 'filter-node-name'),
  /** QEMU 10.1: a scratch error can break the snapshot instead of the guest's write. */
  'blockdev-backup on-cbw-error': argument('blockdev-backup', 'on-cbw-error'),
  'blockdev-backup x-perf': argument('blockdev-backup', 'x-perf'),
  /** QEMU 9.2. */
  'blockdev-backup x-perf.min-cluster-size': argument('blockdev-backup', 'x-perf', 'min-cluster-size'),
  'copy-before-write driver': argument('blockdev-add', 'driver=copy-before-write'),
  'copy-before-write bitmap': argument('blockdev-add', 'driver=copy-before-write', 'bitmap'),
  'copy-before-write on-cbw-error': argument('blockdev-add', 'driver=copy-before-write', 'on-cbw-error'),
  'copy-before-write cbw-timeout': argument('blockdev-add', 'driver=copy-before-write', 'cbw-timeout'),
  'snapshot-access driver': argument('blockdev-add', 'driver=snapshot-access'),
  'blockdev-reopen': command('blockdev-reopen'),
  'blockdev-create': command('blockdev-create'),
  'block-commit': command('block-commit'),
  'block-set-write-threshold': command('block-set-write-threshold'),
  // Exports.
  'block-export-add': command('block-export-add'),
  'block-export-add nbd bitmaps': argument('block-export-add', 'type=nbd', 'bitmaps'),
  /** QEMU 7.1: a bitmap of another node, named as {node, name}. */
  'block-export-add nbd bitmaps of any node': argument('block-export-add', 'type=nbd', 'bitmaps', 'node'),
  'block-export-add nbd allocation-depth': argument('block-export-add', 'type=nbd', 'allocation-depth'),
  'nbd-server-start max-connections': argument('nbd-server-start', 'max-connections'),
  /** QEMU 10.0. */
  'nbd-server-start handshake-max-seconds': argument('nbd-server-start', 'handshake-max-seconds'),
  // Looking.
  'query-named-block-nodes flat': argument('query-named-block-nodes', 'flat'),
  /** QEMU 10.1. */
  'query-named-block-nodes children': (schema) => schema.hasResult('query-named-block-nodes', 'children'),
  'x-debug-query-block-graph': command('x-debug-query-block-graph'),
  'query-jobs': command('query-jobs'),
  'qom-get': command('qom-get'),
  /** A guest that can move to another QEMU. */
  migrate: command('migrate'),
  /** Only the system emulator has a guest to stop. */
  'stop and cont': (schema) => schema.hasCommand('stop') && schema.hasCommand('cont'),
} as const satisfies Record<string, Probe>;

export type Feature = keyof typeof probes;

export class Capabilities {
  constructor(private readonly schema: QmpSchema) {}

  has(feature: Feature): boolean {
    return probes[feature](this.schema);
  }

  /** Throws ERR_CBT_UNSUPPORTED naming what is missing. */
  require(...features: Feature[]): void {
    const missing = features.filter((feature) => !this.has(feature));
    if (missing.length === 0) return;
    throw new CbtError('ERR_CBT_UNSUPPORTED', `this QEMU lacks ${missing.join(', ')}`, {
      details: { missing: missing.join(', ') },
    });
  }

  /** Every feature with its answer, for `doctor` and bug reports. */
  list(): Record<Feature, boolean> {
    const entries = Object.entries(probes).map(([feature, probe]) => [feature, probe(this.schema)]);
    return Object.fromEntries(entries) as Record<Feature, boolean>;
  }
}

/** What the QEMU at the other end can do; asks it on the first call of a connection. */
export async function capabilitiesOf(client: QmpPort, options?: WaitOptions): Promise<Capabilities> {
  return new Capabilities(await schemaOf(client, options));
}
