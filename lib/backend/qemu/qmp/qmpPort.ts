/**
 * The port to a QEMU: QMP commands and events, by whatever way they come there and back. A QMP socket makes one
 * (`QmpPort`); whatever else passes QMP on makes another, and nothing above learns of it.
 */
import type { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import type { QemuHost } from '../qemuHost.js';
import type { QemuVersion, QmpEvent } from './schemas.js';

/**
 * Told as an event of this name by a port that lost its way to QEMU and found it again: events before it may be lost. Whoever waits for one
 * looks at what it would have told.
 */
export const EVENTS_LOST = 'CBT_EVENTS_LOST';

export interface QmpPort {
  /** The other end, in messages. */
  readonly name: string;
  /** Where the QEMU at the other end runs. */
  readonly host: QemuHost;
  /** For messages only, never to decide what QEMU can do; undefined where it is not known. */
  readonly version: QemuVersion | undefined;
  /**
   * True until the connection is closed or lost. A QMP socket never connects anew by itself: QEMU may be another one by then. Where that is
   * sure not to be (`reconnects`), a port does; of what was pending, commands that change something fail, since they may or may not
   * have happened, and {@link EVENTS_LOST} is told.
   */
  readonly open: boolean;
  readonly reconnects?: boolean;
  /** Resolves, with the reason, when the connection is closed (`ERR_CBT_CLOSED`) or lost. Never rejects. */
  readonly ended: Promise<CbtError>;
  /**
   * Runs one command and gives its `return` unchecked; `qmp()` of commands.ts checks it. A refusal of QEMU's is a
   * `QmpCommandError`. After a time-out or an abort the command may still take effect.
   */
  execute(command: string, args?: object, options?: WaitOptions): Promise<unknown>;
  /** Every event from this call on. Events that are lost end it with an error. */
  events(): AsyncIterableIterator<QmpEvent>;
  /** The first event from this call on that fits. The promise may be dropped; it never ends as an unhandled rejection. */
  waitEvent(fits: (event: QmpEvent) => boolean, options?: WaitOptions): Promise<QmpEvent>;
  /** Closes the connection; what is pending ends in `ERR_CBT_CLOSED`. QEMU goes on with what it has begun. */
  close(): Promise<void>;
}
