/**
 * What is told on the channels while work goes on: which operation, of which VM, disk and point in time, and how it ended. No data of a
 * disk, no reply of QEMU and nothing secret is ever in a message.
 */
import type { CbtError } from '../core/errors.js';
import type { DiskName, PointId } from '../core/ids.js';

/** The channels: Node's tracing channels (`diagnostics_channel`), each `tracing:<name>:start`, `end`, `asyncStart`, `asyncEnd` and `error`. */
export type WatchChannel = 'qemu-cbt:qmp' | 'qemu-cbt:session' | 'qemu-cbt:stream' | 'qemu-cbt:backup';

/** Every message; what is not known is null. One object for an operation, filled in as it goes on. */
export interface WatchMessage {
  /** What is done: a QMP command, a call of `Vm` or `Session`, a call of `DiskData`, a call of the backup program. */
  readonly operation: string;
  /** The VM, as `Vm.key` has it. */
  readonly vm: string | null;
  /** The disk, where the operation is of one. */
  readonly disk: DiskName | null;
  /** The point in time that it is about. */
  readonly pit: PointId | null;
  /** The session that it belongs to; its id is its point in time. */
  readonly session: PointId | null;
  /** From the start to the end, in milliseconds; null before the end. */
  durationMs: number | null;
  /** Why it failed; null where it did not, or not yet. */
  error: unknown;
}

/** A message of `qemu-cbt:qmp`: one command to QEMU. */
export interface QmpMessage extends WatchMessage {
  /** The command's arguments: names of nodes, bitmaps and jobs, numbers and flags; every other text is `[redacted]`. */
  readonly arguments: unknown;
}

/** A message of `qemu-cbt:session`: a call on a VM or a session, or `broken`, which is only ever an error. */
export interface SessionMessage extends WatchMessage {
  /** Names of the disks that it is of; null for all, and until it is known. */
  disks: readonly DiskName[] | null;
}

/** A message of `qemu-cbt:stream`: bytes or maps by NBD. */
export interface StreamMessage extends WatchMessage {
  /** Bytes asked for; of a stream, bytes that came so far. */
  bytes: number;
}

/** A message of `qemu-cbt:backup`: a call of the backup program, or the copying of one disk in it. */
export interface BackupMessage extends WatchMessage {
  /** The backup folder. */
  readonly folder: string;
  /** Number of the run, once it is known. */
  run: number | null;
}

/** Of each channel its messages. */
export interface WatchMessages {
  /** Of commands to QEMU. */
  'qemu-cbt:qmp': QmpMessage;
  /** Of calls on VMs and sessions. */
  'qemu-cbt:session': SessionMessage;
  /** Of readings of a disk's bytes. */
  'qemu-cbt:stream': StreamMessage;
  /** Of backups, restores and what else the backup program does. */
  'qemu-cbt:backup': BackupMessage;
}

/** What every message has. */
const EVERY = ['operation', 'vm', 'disk', 'pit', 'session', 'durationMs', 'error'] as const;

/** The fields of each channel's messages. */
export const MESSAGE_FIELDS: { [C in WatchChannel]: readonly (keyof WatchMessages[C])[] } = {
  'qemu-cbt:qmp': [...EVERY, 'arguments'],
  'qemu-cbt:session': [...EVERY, 'disks'],
  'qemu-cbt:stream': [...EVERY, 'bytes'],
  'qemu-cbt:backup': [...EVERY, 'folder', 'run'],
};

/** The channels by name. */
export const CHANNELS = Object.keys(MESSAGE_FIELDS) as WatchChannel[];

/** Whether the error is one that somebody has to know of: the caller's own abort is none. */
export function isTrouble(error: unknown): boolean {
  return error !== null && (error as CbtError | undefined)?.code !== 'ERR_CBT_ABORTED';
}
