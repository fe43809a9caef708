/** What the two ways to keep an instant readable have in common: the steps of a session that differ, by its mode. */
import type { SessionMode } from '../../../core/session.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { makeId } from '../own/ids.js';
import type { QmpPort } from '../qmp/qmpPort.js';
import { findEndedJob, type PlannedDisk, prepareScratches, takeInstant } from './fleece.js';
import { findMovedImage, prepareOverlays, takeSnapshots } from './overlay.js';

/** A disk of a session, as its lease tells it. */
export interface SessionPlace {
  index: number;
  disk: string;
  /** The disk's format node. */
  node: string;
}

interface Mode {
  /** Makes files and nodes; nothing of the guest is touched yet. */
  prepare(
    client: QmpPort,
    session: { tag: string; folder: string; limitBytes: number },
    disks: readonly PlannedDisk[],
    options?: WaitOptions,
  ): Promise<void>;
  /** The one transaction that fixes the instant of all disks, and their points in time. */
  take(client: QmpPort, tag: string, disks: readonly PlannedDisk[], options?: WaitOptions): Promise<void>;
  /** The node that shows a disk as it was at the instant. */
  dataNode(tag: string, disk: { index: number; node: string }): string;
  /** The protocol node whose file takes what comes in during the session, and must not fill up. */
  fileNode(tag: string, index: number): string;
  /** Why that node no longer shows the instant; null while it does on every disk. */
  findBreak(
    client: QmpPort,
    tag: string,
    disks: readonly SessionPlace[],
    options?: WaitOptions,
  ): Promise<string | null>;
}

export const MODES: Readonly<Record<SessionMode, Mode>> = {
  fleece: {
    prepare: prepareScratches,
    take: takeInstant,
    dataNode: (tag, { index }) => makeId('scratch', tag, index),
    fileNode: (tag, index) => makeId('scratchFile', tag, index),
    findBreak: findEndedJob,
  },
  overlay: {
    prepare: prepareOverlays,
    take: takeSnapshots,
    dataNode: (_, { node }) => node,
    fileNode: (tag, index) => makeId('overlayFile', tag, index),
    findBreak: findMovedImage,
  },
};
