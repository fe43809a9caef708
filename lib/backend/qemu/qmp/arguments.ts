/**
 * The arguments of the QMP commands we send, named as QEMU's QAPI schema names them (docs: "QEMU QMP Reference
 * Manual"). Sizes are bytes. Members that only newer QEMU know are sent only after asking its schema (capabilities.ts).
 */

export interface BitmapName {
  node: string;
  name: string;
}

export interface BitmapAddArguments extends BitmapName {
  granularity?: number;
  persistent?: boolean;
  disabled?: boolean;
}

export interface BitmapMergeArguments {
  node: string;
  target: string;
  /** A plain name is a bitmap of `node`. */
  bitmaps: readonly (string | BitmapName)[];
}

/** BlockdevOptions: members depend on the driver. */
export interface BlockdevOptions {
  driver: string;
  'node-name'?: string;
  [member: string]: unknown;
}

export interface SnapshotArguments {
  node: string;
  overlay: string;
}

export interface BackupArguments {
  device: string;
  target: string;
  sync: 'full' | 'top' | 'incremental' | 'bitmap' | 'none';
  'job-id'?: string;
  bitmap?: string;
  'bitmap-mode'?: 'on-success' | 'never' | 'always';
  'filter-node-name'?: string;
  'auto-finalize'?: boolean;
  'auto-dismiss'?: boolean;
  'on-source-error'?: 'report' | 'ignore' | 'enospc' | 'stop';
  'on-target-error'?: 'report' | 'ignore' | 'enospc' | 'stop';
  /** QEMU 10.1 and newer. */
  'on-cbw-error'?: 'break-guest-write' | 'break-snapshot';
  'x-perf'?: { 'use-copy-range'?: boolean; 'max-workers'?: number; 'min-cluster-size'?: number };
}

export interface CommitArguments {
  device: string;
  'job-id'?: string;
  'base-node'?: string;
  'top-node'?: string;
  'filter-node-name'?: string;
  'on-error'?: 'report' | 'ignore' | 'enospc' | 'stop';
  'auto-finalize'?: boolean;
  'auto-dismiss'?: boolean;
}

export interface NbdExportArguments {
  type: 'nbd';
  id: string;
  'node-name': string;
  name?: string;
  description?: string;
  writable?: boolean;
  bitmaps?: readonly (string | BitmapName)[];
  'allocation-depth'?: boolean;
  iothread?: string;
}

export interface FuseExportArguments {
  type: 'fuse';
  id: string;
  'node-name': string;
  mountpoint: string;
  writable?: boolean;
  growable?: boolean;
}

export interface NbdServerArguments {
  addr:
    | { type: 'unix'; data: { path: string } }
    | { type: 'inet'; data: { host: string; port: string } }
    | { type: 'fd'; data: { str: string } };
  'tls-creds'?: string;
  'tls-authz'?: string;
  'max-connections'?: number;
}

type NoArguments = undefined;

/** What each command takes; `undefined` means nothing at all. */
export interface QmpArguments {
  'query-version': NoArguments;
  'query-qmp-schema': NoArguments;
  'query-named-block-nodes': { flat?: boolean } | undefined;
  'query-block': NoArguments;
  'x-debug-query-block-graph': NoArguments;
  'query-block-exports': NoArguments;
  'query-jobs': NoArguments;
  'query-block-jobs': NoArguments;
  'query-status': NoArguments;
  'query-name': NoArguments;
  'query-uuid': NoArguments;
  'query-chardev': NoArguments;
  'query-cpus-fast': NoArguments;
  'query-memory-size-summary': NoArguments;
  'x-debug-block-dirty-bitmap-sha256': BitmapName;
  'qom-list': { path: string };
  'qom-get': { path: string; property: string };
  transaction: {
    actions: readonly TransactionAction[];
    properties?: { 'completion-mode': 'individual' | 'grouped' };
  };
  'block-dirty-bitmap-add': BitmapAddArguments;
  'block-dirty-bitmap-remove': BitmapName;
  'block-dirty-bitmap-clear': BitmapName;
  'block-dirty-bitmap-enable': BitmapName;
  'block-dirty-bitmap-disable': BitmapName;
  'block-dirty-bitmap-merge': BitmapMergeArguments;
  'blockdev-add': BlockdevOptions;
  'blockdev-del': { 'node-name': string };
  'blockdev-create': { 'job-id': string; options: BlockdevOptions };
  'blockdev-reopen': { options: readonly BlockdevOptions[] };
  'blockdev-snapshot': SnapshotArguments;
  'blockdev-backup': BackupArguments;
  'block-commit': CommitArguments;
  'block-set-write-threshold': { 'node-name': string; 'write-threshold': number };
  block_resize: { 'node-name': string; size: number };
  'block-export-add': NbdExportArguments | FuseExportArguments;
  'block-export-del': { id: string; mode?: 'safe' | 'hard' };
  'nbd-server-start': NbdServerArguments;
  'nbd-server-stop': NoArguments;
  'job-cancel': { id: string };
  'job-complete': { id: string };
  'job-dismiss': { id: string };
  'object-add': { 'qom-type': string; id: string; [member: string]: unknown };
  'object-del': { id: string };
  stop: NoArguments;
  cont: NoArguments;
  quit: NoArguments;
}

/** The actions we use, as QEMU's TransactionAction spells them. */
export type TransactionAction =
  | { type: 'block-dirty-bitmap-add'; data: BitmapAddArguments }
  | { type: 'block-dirty-bitmap-remove'; data: BitmapName }
  | { type: 'block-dirty-bitmap-clear'; data: BitmapName }
  | { type: 'block-dirty-bitmap-enable'; data: BitmapName }
  | { type: 'block-dirty-bitmap-disable'; data: BitmapName }
  | { type: 'block-dirty-bitmap-merge'; data: BitmapMergeArguments }
  | { type: 'blockdev-backup'; data: BackupArguments }
  | { type: 'blockdev-snapshot'; data: SnapshotArguments }
  | { type: 'abort'; data: Record<string, never> };
