/**
 * Disks that were taken out of the VM while their session was open: QEMU then ends the job that kept their instant. Each is
 * lost by itself; the others still show the instant of all.
 */
import { CbtError } from '../../../core/errors.js';
import type { WaitOptions } from '../../../linux/waiting.js';
import { listDisks } from '../graph/vmDisks.js';
import { removeExport } from '../own/exports.js';
import { makeId, tagOf } from '../own/ids.js';
import type { Lease } from '../own/lease.js';
import type { QmpPort } from '../qmp/qmpPort.js';

export class PulledDisks {
  readonly #errors = new Map<string, CbtError>();

  constructor(
    private readonly client: QmpPort,
    private readonly lease: Lease,
  ) {}

  /** Why a disk is lost, or the first that is; null while it is not. */
  errorOf(disk?: string): CbtError | null {
    const [first = null] = this.#errors.values();
    return disk === undefined ? first : (this.#errors.get(disk) ?? null);
  }

  /** The session without them. */
  get rest(): Lease {
    return { ...this.lease, disks: this.lease.disks.filter(({ disk }) => !this.#errors.has(disk)) };
  }

  /** To be called when something ended by itself: notes the disks that are gone. Nobody is served them any more. */
  async find(options?: WaitOptions): Promise<void> {
    const { mode, session } = this.lease;
    // What the guest wrote to an overlay has to come back: that is for the session as a whole.
    if (mode !== 'fleece') return;
    // QEMU ends the job first, then the device goes, and only then its drive: of that one nothing but the name is left.
    const there = (await listDisks(this.client, options)).filter(
      ({ qdevPath, deviceType }) => qdevPath === undefined || deviceType !== undefined,
    );
    const nodes = new Set(there.map(({ formatNode }) => formatNode));
    const gone = this.rest.disks.filter(({ node }) => !nodes.has(node));
    for (const { disk } of gone) {
      const message = `${disk} was taken out of the VM while session ${session} was open: what was read of it since the last check is not the session's instant`;
      this.#errors.set(disk, new CbtError('ERR_CBT_BACKEND_UNAVAILABLE', message, { disk }));
    }
    for (const { index } of gone)
      await removeExport(this.client, makeId('data', tagOf(session), index), options);
  }
}
