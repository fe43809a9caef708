/** A policy for opening a disk: all later reads and writes are shifted by an offset. */
import { PHT_VIRTUAL_DISK_OPEN_POLICY } from '../constants/handleTypes.js';
import type { PrlObject } from '../runtime.js';

export class OffsetPolicy implements PrlObject {
  readonly handleType = PHT_VIRTUAL_DISK_OPEN_POLICY;

  constructor(readonly byteOffset: number) {}

  async close(): Promise<void> {
    // Nothing is held.
  }
}
